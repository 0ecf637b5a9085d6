{#
  A table that keeps what a query gave, row by row, with the time since when. RisingWave has neither MERGE nor UPDATE … FROM,
  so that rows cannot be closed: the table can be made, as dbt-risingwave makes it, and a second run is refused here before
  anything is sent.
#}
{% materialization snapshot, default %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- if existing is not none and not existing.is_table -%}{{ rwt_wrong_kind(existing, 'table') }}{%- endif -%}
    {%- if existing is not none -%}{{ rwt_refuse_snapshot(existing) }}{%- endif -%}
    {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=true) -%}
    {%- set strategy = strategy_dispatch(config.get('strategy'))(model, 'snapshotted_data', 'source_data', model['config'], false) -%}
    {%- set rows = build_snapshot_table(strategy, sql) -%}
    {%- do check_time_data_types(rows) -%}
    {%- call statement('main') -%}{{ create_table_as(false, target, rows) }}{%- endcall -%}
    {%- do apply_grants(target, config.get('grants'), should_revoke=false) -%}
    {%- do persist_docs(target, model) -%}
    {%- do create_indexes(target) -%}
    {%- do run_hooks(post_hooks, inside_transaction=true) -%}
    {%- do run_hooks(post_hooks, inside_transaction=false) -%}
    {%- do rwt__reset_settings() -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro rwt_refuse_snapshot(existing) %}
    {{ exceptions.raise_compiler_error(
        'the snapshot ' ~ model.name ~ ' is there already, and RisingWave cannot go on with it: to close a row a snapshot '
        ~ 'sends UPDATE … FROM or MERGE, and RisingWave has neither (with dbt-risingwave this run fails in the database). '
        ~ existing ~ ' is left as it is. A materialized view over a source with a history does the same and stays up to '
        ~ 'date; `--exclude resource_type:snapshot` leaves snapshots out') }}
{% endmacro %}

{% macro build_snapshot_table(strategy, sql) -%}
    {{ adapter.dispatch('build_snapshot_table', 'dbt')(strategy, sql) }}
{%- endmacro %}
{% macro default__build_snapshot_table(strategy, sql) -%}
    {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
    select *,
        {{ strategy.scd_id }} as {{ columns.dbt_scd_id }},
        {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
        {{ strategy.updated_at }} as {{ columns.dbt_valid_from }},
        {{ get_dbt_valid_to_current(strategy, columns) }}
        {%- if strategy.hard_deletes == 'new_record' %}
        , 'False' as {{ columns.dbt_is_deleted }}{% endif %}
    from (
        {{ sql }}
    ) sbq
{%- endmacro %}

{% macro get_dbt_valid_to_current(strategy, columns) -%}
    {%- set current = config.get('dbt_valid_to_current') or 'null' -%}
    coalesce(nullif({{ strategy.updated_at }}, {{ strategy.updated_at }}), {{ current }})
    as {{ columns.dbt_valid_to }}
{%- endmacro %}

{% macro get_snapshot_table_column_names() -%}
    {%- set names = {} -%}
    {%- for name in ['dbt_valid_to', 'dbt_valid_from', 'dbt_scd_id', 'dbt_updated_at', 'dbt_is_deleted'] -%}
        {%- do names.update({name: name}) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{# Strategies: `snapshot_<name>_strategy`, of a package where one is named. #}
{% macro strategy_dispatch(name) -%}
    {%- set package, _, own = name.rpartition('.') -%}
    {%- set known = context[package] if package else context -%}
    {%- set wanted = 'snapshot_' ~ own ~ '_strategy' -%}
    {%- if package and known is not defined -%}
        {{ exceptions.raise_compiler_error("Could not find package '" ~ package ~ "', called with '" ~ name ~ "'") }}
    {%- elif known[wanted] is not defined -%}
        {{ exceptions.raise_compiler_error("The specified strategy macro '" ~ own ~ "' was not found: a snapshot's strategy is timestamp, check, or a macro " ~ wanted ~ ' of the project') }}
    {%- endif -%}
    {{ return(known[wanted]) }}
{%- endmacro %}

{% macro snapshot_hash_arguments(args) -%}
    {{ adapter.dispatch('snapshot_hash_arguments', 'dbt')(args) }}
{%- endmacro %}
{% macro default__snapshot_hash_arguments(args) -%}
    md5({%- for arg in args -%}
        coalesce(cast({{ arg }} as varchar ), '') {{- " || '|' || " if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}

{% macro snapshot_timestamp_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) -%}
    {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
    {%- set changed = '(' ~ snapshotted_rel ~ '.' ~ columns.dbt_valid_from ~ ' < ' ~ current_rel ~ '.' ~ config.get('updated_at') ~ ')' -%}
    {{ return(rwt_snapshot_strategy(config.get('updated_at'), changed)) }}
{%- endmacro %}

{% macro snapshot_check_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) -%}
    {%- set changes = [] -%}
    {%- set columns = config.get('check_cols') -%}
    {%- for column in columns if columns is not string -%}
        {%- do changes.append(snapshotted_rel ~ '.' ~ column ~ ' is distinct from ' ~ current_rel ~ '.' ~ column) -%}
    {%- endfor -%}
    {{ return(rwt_snapshot_strategy(config.get('updated_at') or snapshot_get_time(), '(' ~ changes | join(' or ') ~ ')')) }}
{%- endmacro %}

{% macro rwt_snapshot_strategy(updated_at, changed) -%}
    {%- set key = config.get('unique_key') -%}
    {%- set deletes = adapter.get_hard_deletes_behavior(config) -%}
    {{ return({
        'unique_key': key,
        'updated_at': updated_at,
        'row_changed': changed,
        'scd_id': snapshot_hash_arguments(api.Relation.scd_args(key, updated_at)),
        'invalidate_hard_deletes': deletes == 'invalidate',
        'hard_deletes': deletes,
    }) }}
{%- endmacro %}

{% macro snapshot_string_as_time(timestamp) -%}
    {{ adapter.dispatch('snapshot_string_as_time', 'dbt')(timestamp) }}
{%- endmacro %}
{% macro postgres__snapshot_string_as_time(timestamp) -%}
    {{ return("'" ~ timestamp ~ "'::timestamp without time zone") }}
{%- endmacro %}

{# A warning where the times of the query are of another type than those that dbt writes. #}
{% macro check_time_data_types(sql) -%}
    {%- set own = get_updated_at_column_data_type(sql) -%}
    {%- set time = get_snapshot_get_time_data_type() -%}
    {%- if own is not none and time is not none and own != time -%}
        {%- do exceptions.warn('Data type of snapshot table timestamp columns (' ~ time ~ ') doesn\'t match derived column \'updated_at\' (' ~ own ~ '). Please update snapshot config \'updated_at\'.') -%}
    {%- endif -%}
{%- endmacro %}
{% macro get_updated_at_column_data_type(snapshot_sql) -%}
    {%- set found = namespace(type=none) -%}
    {%- for column in get_column_schema_from_query(snapshot_sql) if column.column | lower == 'dbt_updated_at' -%}
        {%- set found.type = column.dtype -%}
    {%- endfor -%}
    {{ return(found.type) }}
{%- endmacro %}
{% macro get_snapshot_get_time_data_type() -%}
    {%- set columns = get_column_schema_from_query('select ' ~ snapshot_get_time() ~ ' as dbt_snapshot_time') -%}
    {{ return(columns[0].dtype if columns else none) }}
{%- endmacro %}
