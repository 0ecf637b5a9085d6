{% macro dbt_utils_star(from, except=[]) -%}
    {%- if not execute -%}{% do return('*') %}{%- endif -%}
    {%- set cols = adapter.get_columns_in_relation(from) | map(attribute='column') | map('lower') | reject('in', except) | list -%}
    {%- if cols | length == 0 -%}*{%- else -%}{{ cols | join(', ') }}{%- endif -%}
{%- endmacro %}
