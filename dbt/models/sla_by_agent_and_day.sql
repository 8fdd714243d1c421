with messages as (
  select
    local_date,
    week,
    agent,
    responded_at,
    case when responded_at is not null then within_customer_sla end as within_customer_sla,
    case when responded_at is not null then within_agent_sla end as within_agent_sla
  from {{ ref('messages') }}
  where agent is not null and local_date is not null
),

agents as (
  select trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')) as agent, min(id) as user_id
  from {{ source('lexer', 'users') }}
  group by 1
  having count(*) = 1
),

counts as (
  select
    local_date,
    week,
    agent,
    count(*) as assigned,
    count(responded_at) as responses,
    {{ broken('within_customer_sla') }} as broke_customer_sla,
    {{ broken('within_agent_sla') }} as broke_agent_sla
  from messages
  group by local_date, week, agent
)

select
  counts.local_date,
  counts.week,
  counts.agent,
  agents.user_id,
  counts.assigned,
  counts.responses,
  counts.broke_customer_sla,
  counts.broke_agent_sla,
  100.0 * counts.broke_customer_sla / nullif(counts.responses, 0) as broke_customer_sla_percent,
  100.0 * counts.broke_agent_sla / nullif(counts.responses, 0) as broke_agent_sla_percent
from counts
left join agents on counts.agent = agents.agent
