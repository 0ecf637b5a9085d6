{% macro total(column) -%}
    max({{ column }})
{%- endmacro %}
