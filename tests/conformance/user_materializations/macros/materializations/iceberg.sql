{%- materialization iceberg_table, default -%}
  {%- set options = config.get('options', {}) -%}
  {%- set full = should_full_refresh() -%}
  {%- set old = adapter.get_relation(database=database, schema=schema, identifier=model.alias) -%}
  {%- set target = api.Relation.create(database=database, schema=schema, identifier=model['alias'], type='table') -%}
  {%- if old is not none and full -%}
    {%- do adapter.drop_relation(old) -%}
  {%- endif -%}
  {%- if old is none or full -%}
    {%- call statement('main', auto_begin=True) -%}
      {{ iceberg_sql(target, sql, options) }}
    {%- endcall -%}
  {%- else -%}
    {%- do store_raw_result('main', message='SKIP', code='skip', rows_affected='0') -%}
  {%- endif -%}
  {% do adapter.commit() %}
  {{ return({'relations': [target]}) }}
{%- endmaterialization -%}

{% macro iceberg_sql(target, sql, options) %}
create table if not exists {{ target }} as {{ sql }}
with (
{%- for key, value in options.items() | sort %}
  {{ key }} = '{{ value }}'{{ "," if not loop.last }}
{%- endfor %}
) engine = iceberg
{% endmacro %}
