{{ config(materialized='view') }}
{% call set_sql_header(config) %}
set query_mode = '{{ target.name }}';
{%- endcall %}
select 1 as a
