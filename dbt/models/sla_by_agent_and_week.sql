select
  week,
  agent,
  max(user_id) as user_id,
  cast(sum(assigned) as bigint) as assigned,
  cast(sum(responses) as bigint) as responses,
  cast(sum(broke_customer_sla) as bigint) as broke_customer_sla,
  cast(sum(broke_agent_sla) as bigint) as broke_agent_sla,
  100.0 * sum(broke_customer_sla) / nullif(sum(responses), 0) as broke_customer_sla_percent,
  100.0 * sum(broke_agent_sla) / nullif(sum(responses), 0) as broke_agent_sla_percent
from {{ ref('sla_by_agent_and_day') }}
group by week, agent
