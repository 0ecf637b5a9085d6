{% macro uses_others(n) -%}
  {{ cents('x') }}|{{ list_of(n) }}|{{ mac.cents('y', 3) }}|{{ wrap_other() }}
{%- endmacro %}

{% macro wrap_other() %}{% call wrap('b') %}inner {{ fact(4) }}{% endcall %}{% endmacro %}

{% macro quoted(name) %}{{ return(adapter.dispatch('quoted')(name)) }}{% endmacro %}
{% macro default__quoted(name) %}default {{ name }}{% endmacro %}
{% macro postgres__quoted(name) %}postgres {{ name }}{% endmacro %}
{% macro risingwave__quoted(name) %}risingwave {{ name }}{% endmacro %}

{% macro only_postgres() %}{{ adapter.dispatch('only_postgres', 'mac')() }}{% endmacro %}
{% macro postgres__only_postgres() %}pg{% endmacro %}
{% macro default__only_postgres() %}def{% endmacro %}

{% macro get_countries() %}
  {% set result = run_query('select country, n from stats') %}
  {% if execute %}
    {{ return(result.columns[0].values()) }}
  {% endif %}
  {{ return([]) }}
{% endmacro %}

{% macro config_in_macro(kind) %}{{ config(materialized=kind, tags=['from_macro']) }}{% endmacro %}

{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
  {%- if custom_alias_name -%}{{ custom_alias_name | trim }}{%- else -%}m_{{ node.name }}{%- endif -%}
{%- endmacro %}

{% macro counter() %}
  {% set ns = namespace(total=0, items=[]) %}
  {% for i in range(4) %}
    {% set ns.total = ns.total + i %}
    {% do ns.items.append('i' ~ i) %}
  {% endfor %}
  {% do return({'total': ns.total, 'items': ns.items, 'nested': {'k': [1, 2]}}) %}
{% endmacro %}
