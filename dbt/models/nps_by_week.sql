with windows as (
  {{ windows_by_week(source('lexer', 'nps_summary'), of='form_id') }}
)

{{ nps_by('week') }}
