{# Names of states that are totals over other states: adding them to the rest would count messages twice. #}
{% macro totals() %}('all_states', 'all_closed_states'){% endmacro %}

{# The Monday of a date's week. #}
{% macro week_of(day) %}cast(date_trunc('week', {{ day }}) as date){% endmacro %}

{#
  The windows of a report that make up weeks: the week's own window where there is one, else its days. Rows of different
  intervals cover the same time twice, so never both. Months can't be cut into weeks.
#}
{% macro windows_by_week(report) %}
  select *, {{ week_of('local_date') }} as week
  from {{ report }}
  where "interval" = 'week'
    or ("interval" = 'day' and {{ week_of('local_date') }} not in (select local_date from {{ report }} where "interval" = 'week'))
{% endmacro %}
