{# The Iceberg catalog of the target, as a connection of the database. Made once, by on-run-start.
   dbt's targets know no lake: there the variable `lake` says it. #}
{% macro lake_connection_name() -%}
    lake
{%- endmacro %}

{% macro lake_connection() -%}
    {%- set lake = target.lake or var('lake') -%}
create connection if not exists {{ lake_connection_name() }} with (
    type = 'iceberg',
    warehouse.path = '{{ lake.warehouse }}'
    {%- if lake.catalog == 'hosted' %},
    hosted_catalog = true
    {%- else %},
    catalog.type = '{{ lake.catalog }}',
    catalog.uri = '{{ lake.uri }}'
    {%- endif %}
    {%- if lake.s3 %},
    s3.endpoint = '{{ lake.s3.endpoint }}',
    s3.region = '{{ lake.s3.region }}',
    s3.access.key = '{{ lake.s3.access_key }}',
    s3.secret.key = '{{ lake.s3.secret_key }}',
    s3.path.style.access = '{{ lake.s3.path_style_access | lower }}'
    {%- endif %}
)
{%- endmacro %}

{# Points the session's Iceberg tables at the connection. #}
{% macro use_lake_connection() -%}
    {%- do run_query("set iceberg_engine_connection = '" ~ target.schema ~ "." ~ lake_connection_name() ~ "'") -%}
{%- endmacro %}
