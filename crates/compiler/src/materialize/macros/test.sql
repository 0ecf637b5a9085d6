{# dbt's four generic tests: each selects the rows that fail. #}
{% test not_null(model, column_name) %}
    {% set dispatched = adapter.dispatch('test_not_null', 'dbt') %}
    {{ dispatched(model, column_name) }}
{% endtest %}
{% macro default__test_not_null(model, column_name) %}

{% set column_list = '*' if should_store_failures() else column_name %}

select {{ column_list }}
from {{ model }}
where {{ column_name }} is null

{% endmacro %}

{% test unique(model, column_name) %}
    {% set dispatched = adapter.dispatch('test_unique', 'dbt') %}
    {{ dispatched(model, column_name) }}
{% endtest %}
{% macro default__test_unique(model, column_name) %}

select
    {{ column_name }} as unique_field,
    count(*) as n_records

from {{ model }}
where {{ column_name }} is not null
group by {{ column_name }}
having count(*) > 1

{% endmacro %}

{% test accepted_values(model, column_name, values, quote=True) %}
    {% set dispatched = adapter.dispatch('test_accepted_values', 'dbt') %}
    {{ dispatched(model, column_name, values, quote) }}
{% endtest %}
{% macro default__test_accepted_values(model, column_name, values, quote=True) %}

with all_values as (

    select
        {{ column_name }} as value_field,
        count(*) as n_records

    from {{ model }}
    group by {{ column_name }}

)

select *
from all_values
where value_field not in (
    {% for value in values -%}
        {{ "'" ~ value ~ "'" if quote else value }}{% if not loop.last %},{% endif %}
    {%- endfor %}
)

{% endmacro %}

{% test relationships(model, column_name, to, field) %}
    {% set dispatched = adapter.dispatch('test_relationships', 'dbt') %}
    {{ dispatched(model, column_name, to, field) }}
{% endtest %}
{% macro default__test_relationships(model, column_name, to, field) %}

with child as (
    select {{ column_name }} as from_field
    from {{ model }}
    where {{ column_name }} is not null
),

parent as (
    select {{ field }} as to_field
    from {{ to }}
)

select
    from_field

from child
left join parent
    on child.from_field = parent.to_field

where parent.to_field is null

{% endmacro %}

{# The relation that a test reads, narrowed by its `where`. #}
{% macro get_where_subquery(relation) -%}
    {{ return(adapter.dispatch('get_where_subquery', 'dbt')(relation)) }}
{%- endmacro %}
{% macro default__get_where_subquery(relation) -%}
    {%- set where = config.get('where') -%}
    {%- if where -%}
        {{ return('(select * from ' ~ relation ~ ' where ' ~ where ~ ') dbt_subquery') }}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}

{% macro should_store_failures() %}
    {%- set own = config.get('store_failures') -%}
    {{ return(flags.STORE_FAILURES if own is none else own) }}
{% endmacro %}

{% macro get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {{ adapter.dispatch('get_test_sql', 'dbt')(main_sql, fail_calc, warn_if, error_if, limit) }}
{%- endmacro %}
{% macro default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
select
  {{ fail_calc }} as failures,
  {{ fail_calc }} {{ warn_if }} as should_warn,
  {{ fail_calc }} {{ error_if }} as should_error
from (
  {{ main_sql }}
  {{ 'limit ' ~ limit if limit }}
) dbt_internal_test
{%- endmacro %}

{# Counts the failing rows, which are kept in a relation where `store_failures` says so. #}
{% materialization test, adapter='risingwave' %}
    {%- set relations = [] -%}
    {%- set rows = sql -%}
    {%- if should_store_failures() -%}
        {%- set kind = config.get('store_failures_as') or 'table' -%}
        {%- if kind not in ['table', 'view', 'materialized_view'] -%}
            {{ exceptions.raise_compiler_error("'" ~ kind ~ "' is not a valid value for `store_failures_as`. Accepted values are: ['ephemeral', 'table', 'view', 'materialized_view']") }}
        {%- endif -%}
        {%- set relation = this.incorporate(type=kind) -%}
        {%- set existing = load_relation(this) -%}
        {#- A materialized view is a live test: it stays, and is read again. -#}
        {%- if not (kind == 'materialized_view' and existing is not none and existing.type == kind) -%}
        {%- do drop_relation_if_exists(existing) -%}
        {%- call statement('failures') -%}
            {%- if kind == 'view' -%}{{ risingwave__create_view_as(relation, sql) }}
            {%- elif kind == 'materialized_view' -%}{{ risingwave__create_materialized_view_as(relation, sql) }}
            {%- else -%}{{ risingwave__create_table_as(false, relation, sql) }}
            {%- endif -%}
        {%- endcall -%}
        {%- endif -%}
        {%- do relations.append(relation) -%}
        {%- set rows = 'select * from ' ~ relation -%}
    {%- endif -%}
    {%- call statement('main', fetch_result=true) -%}
        {{ get_test_sql(rows, config.get('fail_calc', 'count(*)'), config.get('warn_if', '!= 0'), config.get('error_if', '!= 0'), config.get('limit')) }}
    {%- endcall -%}
    {{ return({'relations': relations}) }}
{% endmaterialization %}
