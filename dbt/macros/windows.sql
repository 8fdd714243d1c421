{# Names of states that are totals over other states: adding them to the rest would count messages twice. #}
{% macro totals() %}('all_states', 'all_closed_states'){% endmacro %}

{# The Monday of a date's week. #}
{% macro week_of(day) %}cast(date_trunc('week', {{ day }}) as date){% endmacro %}

{# The windows of a report that are days. #}
{% macro windows_by_day(report) %}
  select *, {{ week_of('local_date') }} as week
  from {{ report }}
  where "interval" = 'day'
{% endmacro %}

{#
  The windows of a report that make up weeks: a week's days; its own window where some of its days were not read. Rows of different
  intervals cover the same time twice, so never both. Months can't be cut into weeks. `of` is the column whose values have windows
  of their own.
#}
{% macro windows_by_week(report, of=none) %}
  select windows.*, {{ week_of('windows.local_date') }} as week
  from {{ report }} as windows
  inner join (
    select
      {{ week_of('local_date') }} as week,
      {% if of %}{{ of }},{% endif %}
      count(distinct case when "interval" = 'day' then local_date end) = 7 as has_all_days,
      count(case when "interval" = 'week' then 1 end) > 0 as has_window
    from {{ report }}
    group by {{ week_of('local_date') }}{% if of %}, {{ of }}{% endif %}
  ) as weeks
    on {{ week_of('windows.local_date') }} = weeks.week{% if of %} and windows.{{ of }} = weeks.{{ of }}{% endif %}
  where (windows."interval" = 'day' and (weeks.has_all_days or not weeks.has_window))
    or (windows."interval" = 'week' and not weeks.has_all_days)
{% endmacro %}

{# How many days the windows of a group cover. #}
{% macro days_of_windows() %}cast(sum(case when "interval" = 'week' then 7 else 1 end) as bigint){% endmacro %}
