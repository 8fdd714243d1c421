select local_date, value as open_cases
from {{ source('lexer', 'case_volume') }}
where "interval" = 'day' and status = 'open'
