{% macro prepare() %}
    {% if execute %}
        {% set found = run_query("select nspname from pg_namespaces_of_mine") %}
        {% set names = found.columns[0].values() if found else [] %}
        {% for name in ['raw', 'ops'] if name not in names %}
            {% do run_query("create schema if not exists " ~ name) %}
        {% endfor %}
    {% endif %}
    {{ return('') }}
{% endmacro %}
{% macro finish(schemas, results) %}
    {% set bad = results | rejectattr('status', 'equalto', 'success') | list %}
    insert into ops_log values ('{{ schemas | sort | join(",") }} {{ results | length }} {{ bad | length }}')
{% endmacro %}
{% macro grant_all(relation, users) %}
    {%- for user in users -%}
    grant select on {{ 'materialized view' if config.get('materialized') == 'materialized_view' else 'view' }} {{ relation }} to {{ user }};
    {%- endfor -%}
{% endmacro %}
{% macro tag_it(node) %}
    {%- if node.config.meta.get('pii') -%}comment on materialized view {{ this }} is 'pii {{ node.name }}'{%- endif -%}
{% endmacro %}
{% macro ref(model_name) %}
    {%- set relation = builtins.ref(model_name) -%}
    {{ return(relation.include(database=false)) }}
{% endmacro %}
{% macro maybe_sink(relation) %}
    {%- if var('sinks') %}{{ config(materialized='sink', connector='kafka', connector_parameters={'topic': model.name}) }}{% else %}{{ config(materialized='view') }}{% endif -%}
    {{ return('select * from ' ~ relation) }}
{% endmacro %}
{% macro risingwave__get_create_index_sql(relation, index_dict) -%}
    create index if not exists ix_{{ index_dict.columns | join('_') }} on {{ relation }} ({{ index_dict.columns | join(' desc, ') }})
{%- endmacro %}
