{% test is_even(model, column_name, modulo=2) %}
with v as (select {{ column_name }} as f from {{ model }})
select f from v where f % {{ modulo }} <> 0
{% endtest %}
