with windows as (
  {{ windows_by_week(source('lexer', 'nps_summary')) }}
)

select
  windows.week,
  windows.form_id,
  max(coalesce(forms.name, forms.title, cast(windows.form_id as varchar))) as form,
  cast(sum(case when windows."interval" = 'week' then 7 else 1 end) as bigint) as days,
  cast(sum(windows.total_sent) as bigint) as sent,
  cast(sum(windows.total_received) as bigint) as received,
  cast(sum(windows.total_promoters) as bigint) as promoters,
  cast(sum(windows.total_passives) as bigint) as passives,
  cast(sum(windows.total_detractors) as bigint) as detractors,
  100.0 * (sum(windows.total_promoters) - sum(windows.total_detractors)) / nullif(sum(windows.total_received), 0) as nps
from windows
left join {{ source('lexer', 'forms') }} as forms on windows.form_id = forms.id
group by windows.week, windows.form_id
