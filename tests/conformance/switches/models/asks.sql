{%- call statement('levels', fetch_result=True) -%}
select distinct level from {{ ref('base') }} order by 1
{%- endcall -%}
{%- set rows = load_result('levels') -%}
{%- set levels = rows['data'] | map('first') | list if rows else [] -%}
{% set rel = adapter.get_relation(database=target.dbname, schema=schema, identifier='nowhere') %}
select id, {% for l in levels %}count(*) filter (where level = {{ l }}) as l_{{ l }}, {% endfor %} '{{ rel is none }}' as missing,
    '{{ load_relation(this) is none }}' as fresh, '{{ dbt_utils_star(ref("base")) }}' as cols
from {{ ref('base') }} group by id
