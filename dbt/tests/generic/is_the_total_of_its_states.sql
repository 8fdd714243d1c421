{# Fails for each classification and week whose count is not the total that Lexer sends for it. #}
{% test is_the_total_of_its_states(model, column_name) %}
with windows as (
  {{ windows_by_week(source('lexer', 'classifications')) }}
),

totals as (
  select week, classification_id, sum(volume) as total from windows where state = 'all_states' group by week, classification_id
)

select * from {{ model }} inner join totals using (week, classification_id) where {{ column_name }} <> total
{% endtest %}
