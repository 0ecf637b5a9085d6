{% macro risingwave__create_table_as(temporary, relation, sql) -%}
  {{ risingwave__render_sql_header() }}
  create table {{ relation }} as {{ sql }} -- mine, {{ temporary }}
{%- endmacro %}

{% macro risingwave__get_create_index_sql(relation, index_dict) -%}
  create index my_{{ relation.identifier }}_{{ index_dict.columns | join('_') }} on {{ relation }} ({{ index_dict['columns'] | join(', ') }})
{%- endmacro %}

{% macro risingwave__get_grant_sql(relation, privilege, grantees) -%}
  grant {{ privilege }} on all tables to {{ grantees | join(' and ') }}
{%- endmacro %}

{% macro generate_schema_name(custom_schema_name, node) -%}
  {%- if custom_schema_name is none -%}{{ target.schema }}{%- else -%}{{ custom_schema_name | trim }}{%- endif -%}
{%- endmacro %}

{% macro generate_database_name(custom_database_name=none, node=none) -%}
  {{ custom_database_name or target.database }}
{%- endmacro %}

{% macro get_incremental_upsert_sql(arg_dict) %}
  insert into {{ arg_dict['target_relation'] }} select * from {{ arg_dict['temp_relation'] }} -- {{ arg_dict['unique_key'] }}
{% endmacro %}

{% macro ref(name) %}{% do return(builtins.ref(name).include(database=false)) %}{% endmacro %}
