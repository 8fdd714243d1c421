select
  messages.record_id,
  messages.customer_publish_date_utc as published_at,
  days.local_date,
  days.week,
  messages.account_name,
  messages.source_type,
  messages.state,
  nullif(trim(coalesce(messages.agent_first_name, '') || ' ' || coalesce(messages.agent_last_name, '')), '') as agent,
  messages.agent_response_date_utc as responded_at,
  messages.customer_wait_time_min as wait_minutes,
  messages.in_queue_min as queue_minutes,
  messages.agent_response_time_min as handling_minutes,
  messages.within_customer_sla,
  messages.within_agent_sla
from {{ source('lexer', 'mention_sla_export') }} as messages
left join {{ ref('days') }} as days
  on messages.customer_publish_date_utc >= days.starts_at and messages.customer_publish_date_utc < days.ends_at
