{% macro ensure_connection(name) %}
create connection if not exists {{ name }} with (
    type = 'iceberg', catalog.type = 'rest', warehouse.path = '{{ env_var("WAREHOUSE", "demo") }}'
)
{% endmacro %}

{% macro report(results) %}
    {%- for result in results if result.node.config.materialized == 'sink' -%}
        insert into ops.sinks values ('{{ result.node.name }}', '{{ result.status }}');
    {%- endfor -%}
{% endmacro %}

{% macro kafka(topic) -%}
    {%- set settings = var('topics')[topic] -%}
    connector = 'kafka',
    topic = '{{ topic }}',
    properties.bootstrap.server = '{{ var("brokers") }}',
    scan.startup.mode = '{{ var("startup", "earliest") }}'
    {%- if settings.partitions > 1 %},
    source_rate_limit = {{ settings.partitions * 100 }}
    {%- endif %}
{%- endmacro %}

{% materialization iceberg_table, adapter='risingwave' %}
    {%- set identifier = model['alias'] -%}
    {%- set full_refresh_mode = should_full_refresh() -%}
    {%- set old_relation = adapter.get_relation(identifier=identifier, schema=schema, database=database) -%}
    {%- set target_relation = api.Relation.create(identifier=identifier, schema=schema, database=database, type='table') -%}
    {%- if full_refresh_mode and old_relation is not none -%}
        {{ adapter.drop_relation(old_relation) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if old_relation is none or full_refresh_mode -%}
        {% call statement('main') -%}
            create table {{ target_relation }} (
                {%- for column in config.require('columns') %}
                {{ column.name }} {{ column.type | default('varchar', true) }}{{ ' primary key' if loop.first and config.get('keyed', false) }}{{ "," if not loop.last }}
                {%- endfor %}
            ) with (commit_checkpoint_interval = {{ config.get('every', 60) }}) engine = iceberg
        {%- endcall %}
    {%- else -%}
        {{ risingwave__execute_no_op(target_relation) }}
    {%- endif -%}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
