{#
  A table that grows by a query: append, or delete+insert by key. RisingWave has no temporary tables and no MERGE, so new
  rows pass through a table beside it, as in dbt-risingwave.
#}
{% materialization incremental, adapter='risingwave' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set beside = make_temp_relation(target) -%}
    {%- set rebuilt = make_intermediate_relation(target) -%}
    {%- set retired = make_backup_relation(target, 'table' if existing is none else existing.type) -%}
    {%- set full_refresh = should_full_refresh() or (existing is not none and existing.is_view) -%}
    {%- set on_schema_change = incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore') -%}
    {%- set strategy = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy') or 'default') -%}
    {%- do risingwave__validate_model_sql(sql, 'incremental', true) -%}
    {%- do drop_relation_if_exists(load_cached_relation(rebuilt)) -%}
    {%- do drop_relation_if_exists(load_cached_relation(retired)) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=true) -%}
    {%- if existing is none -%}
        {%- set build = risingwave__create_table_as(false, target, sql) -%}
    {%- elif full_refresh -%}
        {%- set build = risingwave__create_table_as(false, rebuilt, sql) -%}
    {%- else -%}
        {%- do risingwave__drop_stale_temp_tables(beside) -%}
        {%- do run_query(risingwave__create_table_as(false, beside, sql)) -%}
        {%- set changed = process_schema_changes(on_schema_change, beside, existing) -%}
        {%- set build = strategy({
            'target_relation': target,
            'temp_relation': beside,
            'unique_key': config.get('unique_key'),
            'dest_columns': changed or adapter.get_columns_in_relation(existing),
            'incremental_predicates': config.get('predicates') or config.get('incremental_predicates'),
        }) -%}
    {%- endif -%}
    {%- call statement('main') -%}{{ build }}{%- endcall -%}
    {%- if existing is not none and not full_refresh -%}
        {%- do adapter.drop_relation(beside) -%}
    {%- elif existing is not none -%}
        {%- do adapter.rename_relation(target, retired) -%}
        {%- do adapter.rename_relation(rebuilt, target) -%}
    {%- endif -%}
    {%- if existing is none or full_refresh -%}
        {%- do apply_grants(target, config.get('grants'), should_revoke=false) -%}
    {%- endif -%}
    {%- do persist_docs(target, model) -%}
    {%- if existing is none or full_refresh -%}
        {%- do create_indexes(target) -%}
    {%- endif -%}
    {%- do run_hooks(post_hooks, inside_transaction=true) -%}
    {%- if existing is not none and full_refresh -%}{%- do adapter.drop_relation(retired) -%}{%- endif -%}
    {%- do run_hooks(post_hooks, inside_transaction=false) -%}
    {%- do rwt__reset_settings() -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro get_incremental_append_sql(arg_dict) %}
    {{ return(get_insert_into_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns'])) }}
{% endmacro %}

{# With a key rows are replaced, without one they are added; RisingWave's default is the first that can be done. #}
{% macro get_incremental_default_sql(arg_dict) %}
    {%- if arg_dict['unique_key'] -%}
        {{ return(get_incremental_delete_insert_sql(arg_dict)) }}
    {%- endif -%}
    {{ return(get_incremental_append_sql(arg_dict)) }}
{% endmacro %}

{% macro get_incremental_delete_insert_sql(arg_dict) %}
    {{ return(risingwave__get_delete_insert_merge_sql(arg_dict['target_relation'], arg_dict['temp_relation'],
        arg_dict['unique_key'], arg_dict['dest_columns'], arg_dict['incremental_predicates'])) }}
{% endmacro %}

{% macro get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
    {{ adapter.dispatch('get_delete_insert_merge_sql', 'dbt')(target, source, unique_key, dest_columns, incremental_predicates) }}
{%- endmacro %}

{% macro risingwave__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
    {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
    {%- if unique_key -%}
        {%- set keys = [unique_key] if unique_key is string else unique_key -%}
        {#- RisingWave refuses IN with a subquery of several columns; it compares row values. -#}
        {%- set key = 'row(' ~ keys | join(', ') ~ ')' if keys | length > 1 else keys | join -%}
delete from {{ target }}
where {{ key }} in (
    select distinct {{ key }}
    from {{ source }}
)
        {%- for predicate in incremental_predicates or [] %}
    and {{ predicate }}
        {%- endfor %}
;
    {% endif %}
insert into {{ target }} ({{ columns }})
(
    select {{ columns }}
    from {{ source }}
)
{%- endmacro %}

{% macro get_incremental_microbatch_sql(arg_dict) %}
    {{ return(adapter.dispatch('get_incremental_microbatch_sql', 'dbt')(arg_dict)) }}
{% endmacro %}

{# The rows of the batch's time make room for those of its query. #}
{% macro risingwave__get_incremental_microbatch_sql(arg_dict) -%}
    {%- set predicates = [] -%}
    {%- for predicate in arg_dict.get('incremental_predicates') or [] -%}{%- do predicates.append(predicate) -%}{%- endfor -%}
    {%- set config = model.config -%}
    {%- set start = model.batch.event_time_start if model.batch else config.get('__dbt_internal_microbatch_event_time_start') -%}
    {%- set end = model.batch.event_time_end if model.batch else config.get('__dbt_internal_microbatch_event_time_end') -%}
    {%- if not start and not end -%}
        {{ exceptions.raise_compiler_error('RisingWave microbatch requires batch event time bounds; refusing to replace the whole target relation.') }}
    {%- endif -%}
    {%- if start -%}{%- do predicates.append(config.event_time ~ " >= '" ~ start ~ "'") -%}{%- endif -%}
    {%- if end -%}{%- do predicates.append(config.event_time ~ " < '" ~ end ~ "'") -%}{%- endif -%}
delete from {{ arg_dict['target_relation'] }}
where {{ predicates | join('
    and ') }}
;
{{ get_insert_into_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns']) }}
{%- endmacro %}

{% macro get_insert_into_sql(target_relation, temp_relation, dest_columns) %}
    {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
insert into {{ target_relation }} ({{ columns }})
(
    select {{ columns }}
    from {{ temp_relation }}
)
{% endmacro %}

{% macro incremental_validate_on_schema_change(on_schema_change, default='ignore') %}
    {{ return(on_schema_change if on_schema_change in ['sync_all_columns', 'append_new_columns', 'fail', 'ignore'] else default) }}
{% endmacro %}

{% macro diff_columns(source_columns, target_columns) %}
    {%- set names = target_columns | map(attribute='column') | list -%}
    {%- set out = [] -%}
    {%- for column in source_columns if column.column not in names -%}{%- do out.append(column) -%}{%- endfor -%}
    {{ return(out) }}
{% endmacro %}

{% macro diff_column_data_types(source_columns, target_columns) %}
    {%- set out = [] -%}
    {%- for column in source_columns -%}
        {%- for other in target_columns if other.name == column.name and other.data_type != column.data_type -%}
            {%- do out.append({'column_name': other.name, 'new_type': column.data_type}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(out) }}
{% endmacro %}

{% macro check_for_schema_changes(source_relation, target_relation) %}
    {%- set source = adapter.get_columns_in_relation(source_relation) -%}
    {%- set target = adapter.get_columns_in_relation(target_relation) -%}
    {%- set added = diff_columns(source, target) -%}
    {%- set removed = diff_columns(target, source) -%}
    {%- set types = diff_column_data_types(source, target) -%}
    {{ return({
        'schema_changed': added | length + removed | length + types | length > 0,
        'source_not_in_target': added,
        'target_not_in_source': removed,
        'source_columns': source,
        'target_columns': target,
        'new_target_types': types,
    }) }}
{% endmacro %}

{% macro process_schema_changes(on_schema_change, source_relation, target_relation) %}
    {%- if on_schema_change == 'ignore' -%}{{ return({}) }}{%- endif -%}
    {%- set changes = check_for_schema_changes(source_relation, target_relation) -%}
    {%- if changes['schema_changed'] and on_schema_change == 'fail' -%}
        {{ exceptions.raise_compiler_error(
            'The source and target schemas on this incremental model are out of sync! New columns: '
            ~ changes['source_not_in_target'] | map(attribute='name') | join(', ') ~ '; columns that are gone: '
            ~ changes['target_not_in_source'] | map(attribute='name') | join(', ')
            ~ '. Set on_schema_change to append_new_columns or sync_all_columns, or run with --full-refresh.') }}
    {%- elif changes['schema_changed'] -%}
        {%- do sync_column_schemas(on_schema_change, target_relation, changes) -%}
    {%- endif -%}
    {{ return(changes['source_columns']) }}
{% endmacro %}

{% macro sync_column_schemas(on_schema_change, target_relation, schema_changes_dict) %}
    {%- set all = on_schema_change == 'sync_all_columns' -%}
    {%- do alter_relation_add_remove_columns(target_relation, schema_changes_dict['source_not_in_target'],
        schema_changes_dict['target_not_in_source'] if all else none) -%}
    {%- for change in schema_changes_dict['new_target_types'] if all -%}
        {%- do alter_column_type(target_relation, change['column_name'], change['new_type']) -%}
    {%- endfor -%}
{% endmacro %}

{# A statement for each, because RisingWave's ALTER TABLE makes one change. #}
{% macro alter_relation_add_remove_columns(relation, add_columns=none, remove_columns=none) -%}
    {%- set changes = [] -%}
    {%- for column in add_columns or [] -%}{%- do changes.append('add column ' ~ column.quoted ~ ' ' ~ column.data_type) -%}{%- endfor -%}
    {%- for column in remove_columns or [] -%}{%- do changes.append('drop column ' ~ column.quoted) -%}{%- endfor -%}
    {%- for change in changes -%}{%- do run_query('alter table ' ~ relation ~ ' ' ~ change) -%}{%- endfor -%}
{%- endmacro %}

{% macro alter_column_type(relation, column_name, new_column_type) -%}
    {{ exceptions.raise_compiler_error('RisingWave cannot change the type of a column: ' ~ column_name ~ ' of ' ~ relation ~ ' would become ' ~ new_column_type ~ '. Run with --full-refresh.') }}
{%- endmacro %}
