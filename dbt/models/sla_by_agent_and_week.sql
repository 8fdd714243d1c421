with windows as (
  {{ windows_by_week(source('lexer', 'user_summary')) }}
)

select
  windows.week,
  windows.user_id,
  max(trim(coalesce(users.first_name, windows.first_name, '') || ' ' || coalesce(users.last_name, windows.last_name, ''))) as agent,
  cast(sum(windows.mentions_assigned) as bigint) as assigned,
  cast(sum(windows.responded_to) as bigint) as responses,
  cast(sum(windows.broke_sla) as bigint) as broke_customer_sla,
  cast(sum(windows.broke_action_sla) as bigint) as broke_agent_sla,
  100.0 * sum(windows.broke_sla) / nullif(sum(windows.responded_to), 0) as broke_customer_sla_percent,
  100.0 * sum(windows.broke_action_sla) / nullif(sum(windows.responded_to), 0) as broke_agent_sla_percent
from windows
left join {{ source('lexer', 'users') }} as users on windows.user_id = users.id
group by windows.week, windows.user_id
