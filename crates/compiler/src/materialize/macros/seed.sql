{# The rows of a CSV file as a table: made once, and emptied and filled again whenever the seed is built. #}
{% materialization seed, default %}
    {%- set existing = load_relation(this) -%}
    {%- set relation = this.incorporate(type='table') -%}
    {%- set table = load_agate_table() -%}
    {%- if existing is not none and existing.type != 'table' -%}
        {%- do rwt_wrong_kind(existing, 'table') -%}
    {%- endif -%}
    {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=true) -%}
    {%- do rwt_check_seed(table, existing) -%}
    {%- if existing is none -%}
        {%- do create_csv_table(model, table) -%}
    {%- else -%}
        {%- do reset_csv_table(model, should_full_refresh(), existing, table) -%}
    {%- endif -%}
    {%- if table.rows -%}
        {%- do load_csv_rows(model, table) -%}
    {%- endif -%}
    {%- set made = existing is none or should_full_refresh() -%}
    {%- do store_raw_result('main', message=('CREATE ' if should_full_refresh() else 'INSERT ') ~ table.rows | length, code='INSERT', rows_affected=table.rows | length) -%}
    {%- if made -%}{%- do apply_grants(relation, config.get('grants'), should_revoke=false) -%}{%- endif -%}
    {%- do persist_docs(relation, model) -%}
    {%- if made -%}{%- do create_indexes(relation) -%}{%- endif -%}
    {%- do run_hooks(post_hooks, inside_transaction=true) -%}
    {%- do run_hooks(post_hooks, inside_transaction=false) -%}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{# Rows that the database would refuse are found before the old ones are gone. #}
{% macro rwt_check_seed(table, existing) %}
    {%- set given = config.get('column_types') or {} -%}
    {%- set names = [] -%}
    {%- set types = [] -%}
    {%- for name in table.column_names -%}
        {%- do names.append(adapter.quote_seed_column(name, config.get('quote_columns'))) -%}
        {%- do types.append(given.get(name, adapter.convert_type(table, loop.index0))) -%}
    {%- endfor -%}
    {%- do rwt__check_seed(table, none if should_full_refresh() else existing, names, types) -%}
{% endmacro %}

{% macro create_csv_table(model, agate_table) -%}
    {{ return(adapter.dispatch('create_csv_table', 'dbt')(model, agate_table)) }}
{%- endmacro %}

{% macro default__create_csv_table(model, agate_table) %}
    {%- set types = config.get('column_types') or {} -%}
    {%- call statement('create') -%}
        create table {{ this.render() }} (
        {%- for name in agate_table.column_names -%}
            {{ adapter.quote_seed_column(name, config.get('quote_columns')) }} {{ types.get(name, adapter.convert_type(agate_table, loop.index0)) }}
            {%- if not loop.last -%},{%- endif -%}
        {%- endfor -%}
        )
    {%- endcall -%}
{% endmacro %}

{% macro reset_csv_table(model, full_refresh, old_relation, agate_table) -%}
    {{ return(adapter.dispatch('reset_csv_table', 'dbt')(model, full_refresh, old_relation, agate_table)) }}
{%- endmacro %}

{% macro default__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {%- if full_refresh -%}
        {%- do adapter.drop_relation(old_relation) -%}
        {%- do create_csv_table(model, agate_table) -%}
    {%- else -%}
        {%- do adapter.truncate_relation(old_relation) -%}
    {%- endif -%}
{% endmacro %}

{% macro get_batch_size() -%}{{ return(adapter.dispatch('get_batch_size', 'dbt')()) }}{%- endmacro %}
{% macro default__get_batch_size() %}{{ return(10000) }}{% endmacro %}

{% macro load_csv_rows(model, agate_table) -%}
    {{ return(adapter.dispatch('load_csv_rows', 'dbt')(model, agate_table)) }}
{%- endmacro %}

{% macro default__load_csv_rows(model, agate_table) %}
    {%- for rows in agate_table.rows | batch(get_batch_size()) -%}
        {%- call statement('rows') -%}
            insert into {{ this.render() }} ({% for name in agate_table.column_names %}{{ adapter.quote_seed_column(name, config.get('quote_columns')) }}{{ ', ' if not loop.last }}{% endfor %}) values
            {{ rwt__rows(rows) }}
        {%- endcall -%}
    {%- endfor -%}
{% endmacro %}
