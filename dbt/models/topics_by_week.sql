with windows as (
  {{ windows_by_week(source('lexer', 'classifications')) }}
)

{{ topics_by('week') }}
