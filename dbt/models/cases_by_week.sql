with windows as (
  {{ windows_by_week(source('lexer', 'case_summary')) }}
)

select
  week,
  cast(sum(case when "interval" = 'week' then 7 else 1 end) as bigint) as days,
  cast(sum(total_cases) as bigint) as closed,
  sum(first_reply_time * total_cases)
  / nullif(sum(case when first_reply_time is not null then total_cases end), 0) / 60 as avg_first_reply_minutes,
  sum(resolution_time * total_cases)
  / nullif(sum(case when resolution_time is not null then total_cases end), 0) / 3600 as avg_resolution_hours
from windows
group by week
