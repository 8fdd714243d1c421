{# Fails for each classification and week, or day, whose count is not the total that Lexer sends for it. #}
{% test is_the_total_of_its_states(model, column_name, period='week') %}
with windows as (
  {% if period == 'week' %}{{ windows_by_week(source('lexer', 'classifications')) }}{% else %}{{ windows_by_day(source('lexer', 'classifications')) }}{% endif %}
),

totals as (
  select {{ period }}, classification_id, sum(volume) as total
  from windows
  where state = 'all_states'
  group by {{ period }}, classification_id
)

select * from {{ model }} inner join totals using ({{ period }}, classification_id) where {{ column_name }} <> total
{% endtest %}
