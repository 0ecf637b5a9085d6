{# What belongs to a relation: its schema's owner, indexes, grants, comments; and how relations are moved and dropped. #}
{% macro risingwave__ensure_schema_authorization(relation) -%}
    {%- set owner = config.get('schema_authorization') -%}
    {%- if owner is not none and owner | trim != '' -%}
        {%- call statement('alter_schema_owner') -%}
            alter schema {{ relation.without_identifier().include(database=False) }}
            owner to {{ adapter.quote(owner) }}
        {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{% macro risingwave__get_index_name(name, columns) -%}
    {{ return('__dbt_index_' ~ name ~ '_' ~ columns | join('_')) }}
{%- endmacro %}

{% macro risingwave__get_create_index_sql(relation, index_dict) -%}
    {%- set columns = index_dict.get('columns', []) -%}
    {#- The settings are still in effect where the relation was just made. -#}
    {{ rwt__header_once() }}
create index if not exists {{ adapter.quote(risingwave__get_index_name(relation.identifier, columns)) }} on {{ relation }} ({{ columns | join(', ') }})
    {%- if index_dict.get('include') %} include ({{ index_dict.include | join(', ') }}){% endif %}
    {%- if index_dict.get('distributed_by') %} distributed by ({{ index_dict.distributed_by | join(', ') }}){% endif %};
{%- endmacro %}

{% macro get_create_index_sql(relation, index_dict) -%}
    {{ return(adapter.dispatch('get_create_index_sql', 'dbt')(relation, index_dict)) }}
{%- endmacro %}

{% macro create_indexes(relation) -%}
    {{ adapter.dispatch('create_indexes', 'dbt')(relation) }}
{%- endmacro %}

{% macro default__create_indexes(relation) -%}
    {%- for index in config.get('indexes') or [] -%}
        {%- do adapter.parse_index(index) -%}
        {%- call statement('create_index') -%}{{ get_create_index_sql(relation, index) }}{%- endcall -%}
    {%- endfor -%}
{%- endmacro %}

{% macro risingwave__get_grant_sql(relation, privilege, grantees) -%}
    grant {{ privilege }} on {{ rwt_kind_words(relation) }} {{ relation.render() }} to {{ rwt__names(grantees) }}
{%- endmacro %}

{% macro risingwave__get_revoke_sql(relation, privilege, grantees) -%}
    revoke {{ privilege }} on {{ rwt_kind_words(relation) }} {{ relation.render() }} from {{ rwt__names(grantees) }}
{%- endmacro %}

{% macro rwt_kind_words(relation) -%}
    {%- set kinds = ['materialized_view', 'view', 'source', 'sink', 'secret', 'subscription'] -%}
    {{ return((relation.type if relation.type in kinds else 'table') | replace('_', ' ')) }}
{%- endmacro %}

{% macro get_grant_sql(relation, privilege, grantees) %}
    {{ return(adapter.dispatch('get_grant_sql', 'dbt')(relation, privilege, grantees)) }}
{% endmacro %}

{% macro get_revoke_sql(relation, privilege, grantees) %}
    {{ return(adapter.dispatch('get_revoke_sql', 'dbt')(relation, privilege, grantees)) }}
{% endmacro %}

{# Only a relation that was just made is granted on, so that there is nothing to take back. #}
{% macro apply_grants(relation, grant_config, should_revoke=false) %}
    {{ return(adapter.dispatch('apply_grants', 'dbt')(relation, grant_config, should_revoke)) }}
{% endmacro %}

{% macro default__apply_grants(relation, grant_config, should_revoke=false) %}
    {%- set statements = [] -%}
    {%- for privilege, users in (grant_config or {}).items() -%}
        {%- set users = [users] if users is string else users -%}
        {%- if users -%}{%- do statements.append(get_grant_sql(relation, privilege, users) ~ ';') -%}{%- endif -%}
    {%- endfor -%}
    {%- if statements -%}
        {%- call statement('grants') -%}{{ statements | join('\n') }}{%- endcall -%}
    {%- endif -%}
{% endmacro %}

{% macro should_revoke(existing_relation, full_refresh_mode=true) %}
    {{ return(existing_relation is not none and not full_refresh_mode) }}
{% endmacro %}

{# `persist_docs`: RisingWave keeps the description of every kind of relation as that of a table. #}
{% macro persist_docs(relation, model, for_relation=true, for_columns=true) -%}
    {{ return(adapter.dispatch('persist_docs', 'dbt')(relation, model, for_relation, for_columns)) }}
{%- endmacro %}

{% macro default__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- call statement('comment') -%}{{ alter_relation_comment(relation, model.description) }}{%- endcall -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() and model.columns -%}
        {%- set comments = alter_column_comment(relation, model.columns) | trim -%}
        {%- if comments -%}{%- call statement('comments') -%}{{ comments }}{%- endcall -%}{%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro alter_relation_comment(relation, comment) -%}
    {{ return(adapter.dispatch('alter_relation_comment', 'dbt')(relation, comment)) }}
{%- endmacro %}

{% macro risingwave__alter_relation_comment(relation, comment) %}
comment on table {{ relation }} is {{ rwt__literal(comment) }};
{% endmacro %}

{% macro alter_column_comment(relation, column_dict) -%}
    {{ return(adapter.dispatch('alter_column_comment', 'dbt')(relation, column_dict)) }}
{%- endmacro %}

{# A column is named by schema, relation and column; RisingWave takes no database here. #}
{% macro risingwave__alter_column_comment(relation, column_dict) %}
    {%- if rwt__is_live() -%}
        {%- set existing = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- elif relation.type in ['table', 'view', 'materialized_view'] -%}
        {#- Where nothing is there to be asked, the columns that the text names; behind a `*` may be any. -#}
        {%- set existing = rwt__text_columns(sql or '') or column_dict | list -%}
    {%- endif -%}
    {%- for name in column_dict if name in existing %}
comment on column {{ relation.include(database=false) }}.{{ adapter.quote(name) if column_dict[name]['quote'] else name }} is {{ rwt__literal(column_dict[name]['description']) }};
    {%- endfor %}
{% endmacro %}

{% macro drop_relation(relation) -%}{{ return(adapter.drop_relation(relation)) }}{%- endmacro %}
{% macro rename_relation(from_relation, to_relation) -%}{{ return(adapter.rename_relation(from_relation, to_relation)) }}{%- endmacro %}
{% macro truncate_relation(relation) -%}{{ return(adapter.truncate_relation(relation)) }}{%- endmacro %}
{% macro drop_relation_if_exists(relation) %}
    {%- if relation is not none -%}{%- do adapter.drop_relation(relation) -%}{%- endif -%}
{% endmacro %}

{% macro load_cached_relation(relation) %}{{ return(load_relation(relation)) }}{% endmacro %}
{% macro risingwave__get_relation_without_caching(relation) %}{{ return(load_relation(relation)) }}{% endmacro %}

{% macro make_intermediate_relation(base_relation, suffix='__dbt_tmp') %}
    {{ return(base_relation.incorporate(path={'identifier': base_relation.identifier ~ suffix})) }}
{% endmacro %}
{% macro make_backup_relation(base_relation, backup_relation_type, suffix='__dbt_backup') %}
    {{ return(base_relation.incorporate(path={'identifier': base_relation.identifier ~ suffix}, type=backup_relation_type)) }}
{% endmacro %}
{# The time in the name keeps two runs apart; the batch of a microbatch model is there for people. #}
{% macro make_temp_relation(base_relation, suffix='__dbt_tmp') %}
    {%- set stamp = ('_' ~ model.batch.id if model.batch else '') ~ modules.datetime.datetime.now().strftime('%H%M%S%f') -%}
    {{ return(base_relation.incorporate(path={'identifier': base_relation.identifier ~ suffix ~ stamp})) }}
{% endmacro %}

{% macro risingwave__execute_no_op(target_relation) %}
    {%- do store_raw_result(name='main', message='skip ' ~ target_relation, code='skip', rows_affected='-1') -%}
{% endmacro %}

{% macro noop_statement(name=none, message=none, code=none, rows_affected=none, res=none) -%}
    {%- set sql = caller() -%}
    {%- if name is not none -%}
        {%- do store_raw_result(name, message=message, code=code, rows_affected=rows_affected, agate_table=res) -%}
    {%- endif -%}
{%- endmacro %}

{% macro get_columns_in_relation(relation) -%}{{ return(adapter.get_columns_in_relation(relation)) }}{%- endmacro %}

{% macro get_columns_in_query(select_sql) -%}
    {%- set result = run_query('select * from (\n' ~ select_sql ~ '\n) as __dbt_sbq where false limit 0') -%}
    {{ return(result.column_names | list if result is not none else []) }}
{%- endmacro %}

{% macro get_quoted_csv(column_names) %}
    {%- set quoted = [] -%}
    {%- for name in column_names -%}{%- do quoted.append(adapter.quote(name)) -%}{%- endfor -%}
    {{ return(quoted | join(', ')) }}
{% endmacro %}

{% macro make_hook_config(sql, inside_transaction) %}{{ return(tojson({'sql': sql, 'transaction': inside_transaction})) }}{% endmacro %}
{% macro before_begin(sql) %}{{ return(make_hook_config(sql, inside_transaction=false)) }}{% endmacro %}
{% macro in_transaction(sql) %}{{ return(make_hook_config(sql, inside_transaction=true)) }}{% endmacro %}
{% macro after_commit(sql) %}{{ return(make_hook_config(sql, inside_transaction=false)) }}{% endmacro %}
