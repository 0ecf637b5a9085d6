{% macro cents_to_dollars(column_name, precision=2) -%}
    ({{ column_name }} / 100)::numeric(16, {{ precision }})
{%- endmacro %}
{% test is_even(model, column_name) %}
select {{ column_name }} from {{ model }} where {{ column_name }} % 2 <> 0
{% endtest %}
