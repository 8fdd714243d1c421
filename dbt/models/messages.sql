select
  record_id,
  customer_publish_date_utc as published_at,
  local_date,
  {{ week_of('local_date') }} as week,
  account_name,
  source_type,
  state,
  nullif(trim(coalesce(agent_first_name, '') || ' ' || coalesce(agent_last_name, '')), '') as agent,
  agent_response_date_utc as responded_at,
  customer_wait_time_min as wait_minutes,
  in_queue_min as queue_minutes,
  agent_response_time_min as handling_minutes,
  within_customer_sla,
  within_agent_sla
from {{ source('lexer', 'mention_sla_export') }}
