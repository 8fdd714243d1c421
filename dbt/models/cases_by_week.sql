with windows as (
  {{ windows_by_week(source('lexer', 'case_summary')) }}
)

{{ cases_by('week') }}
