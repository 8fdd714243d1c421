select
  days.local_date,
  days.week,
  count(messages.wait_minutes) as responses,
  coalesce(sum(messages.wait_minutes), 0) as total_wait_minutes,
  avg(messages.wait_minutes) as avg_wait_minutes,
  percentile_cont(0.5) within group (order by messages.wait_minutes) as median_wait_minutes,
  {{ broken('messages.within_customer_sla') }} as broke_customer_sla,
  {{ broken('messages.within_agent_sla') }} as broke_agent_sla
from {{ ref('days') }} as days
left join {{ ref('messages') }} as messages
  on days.local_date = messages.local_date and messages.responded_at is not null
group by days.local_date, days.week
