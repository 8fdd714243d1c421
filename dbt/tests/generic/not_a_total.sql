{# Fails for each row whose state is a total of other states. #}
{% test not_a_total(model, column_name) %}
select {{ column_name }} from {{ model }} where {{ column_name }} in {{ totals() }}
{% endtest %}
