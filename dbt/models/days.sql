with buckets as (
  select local_date, date_from, date_to from {{ source('lexer', 'states_volume') }}
  union all
  select local_date, date_from, date_to from {{ source('lexer', 'response_volume') }}
  union all
  select local_date, date_from, date_to from {{ source('lexer', 'case_volume') }}
)

select
  local_date,
  {{ week_of('local_date') }} as week,
  min(date_from) as starts_at,
  max(date_to) + interval '1 second' as ends_at -- date_to is the last second inside
from buckets
where local_date is not null
group by local_date
