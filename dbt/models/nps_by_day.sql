with windows as (
  {{ windows_by_day(source('lexer', 'nps_summary')) }}
)

{{ nps_by('local_date, week') }}
