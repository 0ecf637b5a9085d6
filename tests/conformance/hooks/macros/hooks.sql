{% macro start_macro() %}
  {% do log('starting', info=true) %}
  create table if not exists audit (at timestamp);
  insert into audit values (now());
{% endmacro %}

{% macro end_macro(results) %}
  {% if execute %}
  insert into audit select '{{ results | length }}' || '{{ database_schemas | length }}' || '{{ schemas | join(",") }}'
  {% endif %}
{% endmacro %}

{% macro after(relation) %}
insert into audit values ('{{ relation.identifier }} {{ config.get("materialized") }} {{ model.name }}')
{% endmacro %}
