with windows as (
  {{ windows_by_week(source('lexer', 'classifications')) }}
)

select
  week,
  classification_id,
  max(classification) as classification,
  cast(sum(volume) as bigint) as messages
from windows
where state not in {{ totals() }}
group by week, classification_id
