{# Fails if the sum over the weeks that a report has is off by more than 5 % from the report's own sum. #}
{% test is_about_what_the_report_says(model, column_name, report, counted_as) %}
with windows as (
  {{ windows_by_week(report) }}
),

sums as (
  select
    (select sum({{ column_name }}) from {{ model }} where week in (select week from windows)) as ours,
    (select sum({{ counted_as }}) from windows) as theirs
)

select * from sums where abs(coalesce(ours, 0) - theirs) > 0.05 * theirs
{% endtest %}
