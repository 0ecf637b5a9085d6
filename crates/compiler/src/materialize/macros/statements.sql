{#
  The statements of dbt-risingwave under its own macro names, so that a project's macros that call or override them work.
#}
{% macro risingwave__render_sql_header() -%}
    {{- rwt__header() -}}
{%- endmacro %}

{% macro set_sql_header(config) -%}
    {{ config.set('sql_header', caller()) }}
{%- endmacro %}

{% macro risingwave__create_view_as(relation, sql) -%}
    {{ risingwave__render_sql_header() }}
{{ rwt_contract(sql) -}}
create view if not exists {{ relation }} as
{{ sql }}
;
{%- endmacro %}

{% macro risingwave__create_table_as(temporary, relation, sql) -%}
    {{ risingwave__render_sql_header() }}
{{ rwt_contract(sql) -}}
create table if not exists {{ relation }} as
{{ sql }}
;
{%- endmacro %}

{% macro risingwave__create_materialized_view_as(relation, sql) -%}
    {{ risingwave__render_sql_header() }}
{{ rwt_contract(sql) -}}
create materialized view if not exists {{ relation }}{{ risingwave__render_materialized_view_options() }} as
{{ sql }}
;
{%- endmacro %}

{% macro create_view_as(relation, sql) -%}
    {{ adapter.dispatch('create_view_as', 'dbt')(relation, sql) }}
{%- endmacro %}
{% macro create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {{ adapter.dispatch('create_table_as', 'dbt')(temporary, relation, compiled_code) }}
{%- endmacro %}
{% macro get_create_view_as_sql(relation, sql) -%}
    {{ adapter.dispatch('get_create_view_as_sql', 'dbt')(relation, sql) }}
{%- endmacro %}
{% macro get_create_table_as_sql(temporary, relation, sql) -%}
    {{ adapter.dispatch('get_create_table_as_sql', 'dbt')(temporary, relation, sql) }}
{%- endmacro %}
{% macro get_create_materialized_view_as_sql(relation, sql) -%}
    {{ adapter.dispatch('get_create_materialized_view_as_sql', 'dbt')(relation, sql) }}
{%- endmacro %}
{% macro risingwave__get_create_view_as_sql(relation, sql) -%}
    {{ risingwave__create_view_as(relation, sql) }}
{%- endmacro %}
{% macro risingwave__get_create_table_as_sql(temporary, relation, compiled_code) -%}
    {{ risingwave__create_table_as(temporary, relation, compiled_code) }}
{%- endmacro %}
{% macro risingwave__get_create_materialized_view_as_sql(relation, sql) -%}
    {{ risingwave__create_materialized_view_as(relation, sql) }}
{%- endmacro %}

{# Nothing where there is no contract or it holds. #}
{% macro rwt_contract(sql) -%}
    {%- if (config.get('contract') or {}).enforced -%}{{ get_assert_columns_equivalent(sql) }}{%- endif -%}
{%- endmacro %}

{% macro risingwave__render_materialized_view_options() -%}
    {%- set order = config.get('backfill_order') -%}
    {%- if order is not none -%}
        {%- if order is string or order is mapping or order is not sequence or order | length == 0 -%}
            {{ exceptions.raise_compiler_error('`backfill_order` must be a non-empty list of RisingWave FIXED backfill edges, for example [`schema.dim -> schema.fact`].') }}
        {%- endif -%}
        {%- set edges = [] -%}
        {%- for edge in order -%}
            {%- if edge is not string or edge | trim == '' -%}
                {{ exceptions.raise_compiler_error('Each `backfill_order` entry must be a non-empty string containing a RisingWave backfill edge; invalid entry at position ' ~ loop.index ~ '.') }}
            {%- endif -%}
            {%- do edges.append(edge | trim) -%}
        {%- endfor -%}
        {{ ' with (backfill_order = FIXED(' ~ edges | join(', ') ~ '))' }}
    {%- endif -%}
{%- endmacro %}

{% macro risingwave__run_sql(sql) -%}
    {%- if (config.get('contract') or {}).enforced -%}
        {%- do exceptions.warn('Model contracts cannot be enforced for source, table_with_connector, sink and subscription') -%}
    {%- endif -%}
    {{ risingwave__render_sql_header() }}
{{ sql }};
{%- endmacro %}

{% macro risingwave__sql_is_query(sql) -%}
    {{ return(rwt__is_query(sql)) }}
{%- endmacro %}

{% macro risingwave__create_sink(relation, sql) -%}
    {%- set parameters = config.require('connector_parameters') -%}
    {%- set format = config.get('data_format') -%}
    {%- set encode = config.get('data_encode') -%}
    {%- set format_parameters = config.get('format_parameters') -%}
    {{ risingwave__render_sql_header() }}
create sink if not exists {{ relation }}
{% if risingwave__sql_is_query(sql) %}as {{ sql }}{% else %}from {{ sql }}{% endif %}
with (
{{ rwt__options({'connector': config.require('connector')}) }},
{{ rwt__options(parameters) }}
)
{% if format_parameters and format and encode -%}
format {{ format }} encode {{ encode }} (
{{ rwt__options(format_parameters) }}
)
{%- endif -%}
;
{%- endmacro %}

{% macro risingwave__create_subscription(relation, sql) -%}
    {%- set options = config.get('subscription_options') or {} -%}
    {%- if options is not mapping -%}
        {{ exceptions.raise_compiler_error('`subscription_options` must be a dictionary of RisingWave CREATE SUBSCRIPTION WITH options.') }}
    {%- endif -%}
    {%- if sql | trim == '' -%}
        {{ exceptions.raise_compiler_error('`subscription` materialization requires model SQL that renders to a relation, for example a ref() or source() call.') }}
    {%- endif -%}
    {{ risingwave__render_sql_header() }}
create subscription if not exists {{ relation }}
from {{ sql | trim }}
with (
{{ rwt__options({'retention': config.get('retention', '1D')}) }}
{%- if options %}, {{ rwt__options(options) | trim }}{% endif -%}
);
{%- endmacro %}

{% macro rwt_function(relation, language) -%}
    {%- set always = 'always_retry_on_network_error = true' if config.get('always_retry_on_network_error') -%}
    CREATE FUNCTION IF NOT EXISTS {{ relation.render() }} (
    {% for argument in model.arguments or [] -%}
        {{ argument.name }} {{ argument.data_type }}{{ ', ' if not loop.last }}
    {%- endfor %}
    )
    RETURNS {{ model.returns.data_type }}
    {{ rwt_volatility(config.get('volatility')) }}
    {%- if language == 'sql' %}
    LANGUAGE SQL
    AS
    $$
       {{ sql }}
    $$;
    {%- elif language == 'javascript' %}
    {%- set options = ['async = true' if config.get('async'), 'batch = true' if config.get('batch'), always] | select | list %}
    LANGUAGE JAVASCRIPT
    AS
    $$
       {{ sql }}
    $$
    {%- if options %}
    WITH ({{ options | join(', ') }})
    {%- endif %};
    {%- elif language == 'python' %}
    {%- if not config.get('link') -%}
        {{ exceptions.raise_compiler_error('RisingWave external Python UDFs require `config.link`.') }}
    {%- endif %}
    AS {{ rwt__literal(config.get('remote_name', model.name)) }}
    USING LINK {{ rwt__literal(config.get('link')) }}
    {%- if always %}
    WITH ({{ always }})
    {%- endif %};
    {%- else -%}
        {{ exceptions.raise_compiler_error('functions are written in sql, javascript or python, not in ' ~ language) }}
    {%- endif -%}
{%- endmacro %}

{% macro rwt_volatility(volatility) -%}
    {%- if volatility == 'deterministic' -%}IMMUTABLE
    {%- elif volatility == 'stable' -%}STABLE
    {%- elif volatility == 'non-deterministic' -%}VOLATILE
    {%- elif volatility -%}
        {{ exceptions.raise_compiler_error('`volatility` is deterministic, stable or non-deterministic, not ' ~ volatility) }}
    {%- endif -%}
{%- endmacro %}
