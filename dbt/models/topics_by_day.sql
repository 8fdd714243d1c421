with windows as (
  {{ windows_by_day(source('lexer', 'classifications')) }}
)

{{ topics_by('local_date, week') }}
