with windows as (
  {{ windows_by_day(source('lexer', 'case_summary')) }}
)

{{ cases_by('local_date, week') }}
