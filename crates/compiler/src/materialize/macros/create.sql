{#
  What every built-in materialization does around the statement that is its caller's block: nothing where the relation
  exists, else hooks, the statement, what belongs to the relation, hooks. Nothing is ever dropped here: a full refresh
  drops before. `grants_first` as in dbt-risingwave: a materialized view is granted before it is indexed.
#}
{% macro rwt_create(kind, grants_first=false, grants=true, docs=true) %}
    {%- set relation = this.incorporate(type=kind) -%}
    {%- set materialized = config.get('materialized', kind) -%}
    {%- set wraps = rwt_wraps(materialized) -%}
    {%- set existing = load_relation(this) -%}
    {%- if existing is not none and existing.type != kind -%}
        {%- do rwt_wrong_kind(existing, kind) -%}
    {%- elif existing is not none -%}
        {%- do store_raw_result(name='main', message='unchanged ' ~ relation, code='skip') -%}
    {%- else -%}
        {%- if not wraps and rwt__is_query(sql) -%}
            {{ exceptions.raise_compiler_error(
                'the materialization `' ~ materialized ~ '` sends the text of ' ~ model.name ~ ' as it is, and that is a query: write CREATE '
                ~ (kind | replace('_', ' ') | upper) ~ ' {{ this }} …' ~ (', or set connector and connector_parameters' if kind == 'sink' else '')) }}
        {%- endif -%}
        {%- do risingwave__validate_model_sql(sql, materialized, wraps) -%}
        {%- set create = caller() -%}
        {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
        {%- do run_hooks(pre_hooks, inside_transaction=true) -%}
        {%- if materialized in ['view', 'table', 'materialized_view', 'materializedview'] -%}
            {%- do risingwave__ensure_schema_authorization(relation) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            {{ create }}
        {%- endcall -%}
        {#- The others are there at once. -#}
        {%- set waits = materialized in ['table', 'materialized_view', 'sink'] -%}
        {%- if waits -%}{%- do rwt__wait() -%}{%- endif -%}
        {%- if grants and grants_first -%}
            {%- do apply_grants(relation, config.get('grants'), should_revoke=false) -%}
        {%- endif -%}
        {%- do create_indexes(relation) -%}
        {%- if waits and config.get('indexes') -%}{%- do rwt__wait() -%}{%- endif -%}
        {%- if grants and not grants_first -%}
            {%- do apply_grants(relation, config.get('grants'), should_revoke=false) -%}
        {%- endif -%}
        {%- if docs -%}{%- do persist_docs(relation, model) -%}{%- endif -%}
        {%- do run_hooks(post_hooks, inside_transaction=false) -%}
        {%- do run_hooks(post_hooks, inside_transaction=true) -%}
        {%- do rwt__reset_settings() -%}
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

{# Whether the materialization puts the model's text into a statement of its own. #}
{% macro rwt_wraps(materialized) %}
    {%- if materialized == 'sink' -%}{{ return(config.get('connector') is not none) }}{%- endif -%}
    {{ return(materialized not in ['source', 'connection', 'secret', 'table_with_connector']) }}
{% endmacro %}
