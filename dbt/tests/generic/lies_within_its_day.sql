{# Fails for each row whose instant is not within the bounds of its `local_date`. #}
{% test lies_within_its_day(model, column_name) %}
select rows_of_model.*
from {{ model }} as rows_of_model
inner join {{ ref('days') }} as days using (local_date)
where rows_of_model.{{ column_name }} < days.starts_at or rows_of_model.{{ column_name }} >= days.ends_at
{% endtest %}
