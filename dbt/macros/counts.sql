{# What models by day and by week count. `period` is `local_date, week` or `week`. #}

{# Responses outside an SLA; null where none says whether it was within, so that a sum of such days is null as well, and not 0. #}
{% macro broken(within) %}case when count({{ within }}) > 0 then count(case when not {{ within }} then 1 end) end{% endmacro %}

{% macro cases_by(period) %}
select
  {{ period }},
  {% if period == 'week' %}{{ days_of_windows() }} as days,{% endif %}
  cast(sum(total_cases) as bigint) as closed,
  sum(first_reply_time * total_cases)
  / nullif(sum(case when first_reply_time is not null then total_cases end), 0) / 60 as avg_first_reply_minutes,
  sum(resolution_time * total_cases)
  / nullif(sum(case when resolution_time is not null then total_cases end), 0) / 3600 as avg_resolution_hours
from windows
group by {{ period }}
{% endmacro %}

{% macro topics_by(period) %}
select
  {{ period }},
  classification_id,
  max(classification) as classification,
  cast(sum(volume) as bigint) as messages
from windows
where state not in {{ totals() }}
group by {{ period }}, classification_id
{% endmacro %}

{% macro nps_by(period) %}
select
  {{ period }},
  form_id,
  max(coalesce(forms.name, forms.title, cast(form_id as varchar))) as form,
  {% if period == 'week' %}{{ days_of_windows() }} as days,{% endif %}
  cast(sum(total_sent) as bigint) as sent,
  cast(sum(total_received) as bigint) as received,
  cast(sum(total_promoters) as bigint) as promoters,
  cast(sum(total_passives) as bigint) as passives,
  cast(sum(total_detractors) as bigint) as detractors,
  100.0 * (sum(total_promoters) - sum(total_detractors)) / nullif(sum(total_received), 0) as nps
from windows
left join {{ source('lexer', 'forms') }} as forms on form_id = forms.id
group by {{ period }}, form_id
{% endmacro %}
