{% macro lines() -%}
, 3
 as c
{%- endmacro %}
{% macro risingwave__own() %}own{% endmacro %}
{% macro own() %}{{ return(adapter.dispatch("own")()) }}{% endmacro %}
