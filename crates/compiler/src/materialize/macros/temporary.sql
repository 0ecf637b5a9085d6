{# What runs that failed left behind, of rwt and of dbt. #}

{# Each run of an incremental model names its table beside the model's anew; those of runs that failed are still there. #}
{% macro risingwave__drop_stale_temp_tables(temp_relation) %}
    {%- set stem = modules.re.sub('[0-9]+$', '', temp_relation.identifier) -%}
    {%- set stale = modules.re.compile(modules.re.escape(stem) ~ '[0-9]+$') -%}
    {%- set found = run_query(
        'select t.name from rw_catalog.rw_tables as t join rw_catalog.rw_schemas as s on s.id = t.schema_id where s.name = '
        ~ rwt__literal(temp_relation.schema) ~ ' and starts_with(t.name, ' ~ rwt__literal(stem) ~ ')') -%}
    {%- for row in found.rows if row[0] != temp_relation.identifier and stale.match(row[0]) -%}
        {%- set relation = temp_relation.incorporate(path={'identifier': row[0]}, type='table') -%}
        {%- do log('dropping ' ~ relation ~ ', which a run that failed left behind', info=true) -%}
        {%- do adapter.drop_relation(relation) -%}
    {%- endfor -%}
{% endmacro %}

{# What dbt-risingwave's zero-downtime runs left: schema, name, id and kind of each, what was made last first. #}
{% macro risingwave__list_temp_objects(schema_name=none, object_types=none) %}
    {%- set kinds = [] -%}
    {%- for kind in object_types or ['materialized view', 'view'] -%}
        {%- do kinds.append(rwt__literal(kind)) -%}
    {%- endfor -%}
    {{ return(run_query(
        'select s.name as schema_name, r.name as object_name, r.id as object_id, r.relation_type as object_type'
        ~ ' from rw_catalog.rw_relations as r join rw_catalog.rw_schemas as s on s.id = r.schema_id'
        ~ ' where position(' ~ rwt__literal('_dbt_zero_down_tmp_') ~ ' in r.name) > 0'
        ~ ' and r.relation_type in (' ~ kinds | join(', ') ~ ')'
        ~ (' and s.name = ' ~ rwt__literal(schema_name) if schema_name else '') ~ ' order by r.id desc')) }}
{% endmacro %}

{# `rwt run-operation list_temp_objects` #}
{% macro list_temp_objects(schema_name=none, object_types=none) %}
    {%- set found = risingwave__list_temp_objects(schema_name, object_types) -%}
    {%- do print(found.rows | length ~ ' objects of zero-downtime runs of dbt are left') -%}
    {%- for row in found.rows -%}
        {%- do print('  ' ~ row[3] ~ ' ' ~ row[0] ~ '.' ~ row[1]) -%}
    {%- endfor -%}
{% endmacro %}

{# `rwt run-operation cleanup_temp_objects --args '{dry: true}'`. What something hangs on stays, and is named. #}
{% macro cleanup_temp_objects(schema_name=none, object_types=none, dry=false) %}
    {%- set found = risingwave__list_temp_objects(schema_name, object_types) -%}
    {%- set count = namespace(dropped=0) -%}
    {%- for row in found.rows -%}
        {%- set relation = api.Relation.create(database=target.database, schema=row[0], identifier=row[1], type=row[3] | replace(' ', '_')) -%}
        {%- set readers = run_query('select count(*) from rw_catalog.rw_depend where refobjid = ' ~ row[2] ~ ' and objid not in (select id from rw_catalog.rw_indexes)').rows[0][0] | int -%}
        {%- if readers > 0 and not dry -%}
            {%- do print('stays: ' ~ row[3] ~ ' ' ~ relation ~ ', on which other objects hang') -%}
        {%- elif dry -%}
            {%- do print('would drop ' ~ row[3] ~ ' ' ~ relation ~ (', if nothing hangs on it by then' if readers > 0 else '')) -%}
        {%- else -%}
            {%- do print('dropping ' ~ row[3] ~ ' ' ~ relation) -%}
            {%- do adapter.drop_relation(relation) -%}
            {%- set count.dropped = count.dropped + 1 -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do print(count.dropped ~ ' of ' ~ found.rows | length ~ ' dropped') -%}
{% endmacro %}
