{{ config(materialized="table") }}

select 1 as a, -- {{ "b" }}
    {% if true -%}
    2 as b
    {%- endif %}
{# c #}
{{ lines() }}
