select
  local_date,
  state,
  case
    when state in ('new', 'assigned', 'in_progress', 'awaiting_approval') then 'open'
    when state = 'responded' then 'responded'
    when state in ('redirected', 'irrelevant', 'duplicate', 'no_response_required') then 'set aside'
    when state = 'closed' then 'closed'
    else 'other'
  end as state_group,
  value as messages
from {{ source('lexer', 'states_volume') }}
where "interval" = 'day' and state not in {{ totals() }}
