{#
  What every built-in materialization does with the statement that is its caller's block: nothing where the relation
  exists, else hooks, settings, the statement, indexes. Nothing is ever dropped here: a full refresh drops before.
#}
{% macro rwt_create(kind) %}
    {%- set relation = this.incorporate(type=kind) -%}
    {%- set existing = load_relation(this) -%}
    {%- if existing is not none and existing.type != kind -%}
        {%- do rwt_wrong_kind(existing, kind) -%}
    {%- elif existing is not none -%}
        {%- do store_raw_result(name='main', message='unchanged ' ~ relation, code='skip') -%}
    {%- else -%}
        {%- set create = caller() -%}
        {%- do run_hooks(pre_hooks) -%}
        {%- do rwt__begin_settings() -%}
        {%- call statement('main') -%}
            {{ create }}
        {%- endcall -%}
        {%- for index in config.get('indexes', []) -%}
            {%- do rwt_create_index(relation, index) -%}
        {%- endfor -%}
        {%- do rwt__end_settings() -%}
        {%- do rwt_grant(relation) -%}
        {%- do rwt_describe(relation) -%}
        {%- do run_hooks(post_hooks) -%}
    {%- endif -%}
    {{ return({'relations': [relation]}) }}
{% endmacro %}

{% macro rwt_wrong_kind(existing, kind) %}
    {%- set wanted = kind | replace('_', ' ') -%}
    {%- set found = existing.type | replace('_', ' ') -%}
    {{ exceptions.raise_compiler_error(
        existing ~ ' is a ' ~ found ~ ' in the database, and ' ~ model.name ~ ' is to become a ' ~ wanted
        ~ ': rename the model, or drop the ' ~ found ~ ' with --full-refresh') }}
{% endmacro %}

{# `grants` of the configuration: privilege, then a user or a list of users. #}
{% macro rwt_grant(relation) %}
    {%- set kind = relation.type | replace('_', ' ') -%}
    {%- for privilege, users in config.get('grants', {}).items() -%}
        {%- set users = [users] if users is string else users -%}
        {%- if users -%}
            {%- call statement('grant') -%}
                grant {{ privilege }} on {{ kind }} {{ relation }} to {{ users | map('rwt__identifier') | join(', ') }}
            {%- endcall -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{# `persist_docs`: the description of the relation, which RisingWave keeps for every kind as that of a table. #}
{% macro rwt_describe(relation) %}
    {%- if config.persist_relation_docs() and model.description -%}
        {%- call statement('comment') -%}
            comment on table {{ relation }} is {{ rwt__literal(model.description) }}
        {%- endcall -%}
    {%- endif -%}
{% endmacro %}

{% macro rwt_create_index(relation, index) %}
    {%- set columns = index.columns -%}
    {%- set name = '__dbt_index_' ~ relation.identifier ~ '_' ~ (columns | join('_')) -%}
    {%- call statement('index') -%}
        create index if not exists {{ adapter.quote(name) }} on {{ relation }} ({{ columns | join(', ') }})
        {%- if index.include %} include ({{ index.include | join(', ') }}){% endif -%}
        {%- if index.distributed_by %} distributed by ({{ index.distributed_by | join(', ') }}){% endif -%}
    {%- endcall -%}
{% endmacro %}
