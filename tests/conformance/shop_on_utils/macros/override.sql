{% macro default__marker() %}{{ return('of the shop ' ~ project_name) }}{% endmacro %}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set default_schema = target.schema -%}
    {%- if custom_schema_name is none -%}{{ default_schema }}
    {%- elif node.fqn | length > 2 and target.name == 'prod' -%}{{ custom_schema_name | trim }}
    {%- else -%}{{ default_schema }}_{{ custom_schema_name | trim }}{%- endif -%}
{%- endmacro %}
