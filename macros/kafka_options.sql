{# The options that every Kafka source shares: where the target's broker is, and where reading begins.
   dbt's targets know no broker: there the variable `kafka` says it. #}
{% macro kafka_options(topic) -%}
    {%- set mode = var('startup_mode', 'earliest') -%}
    {%- if mode not in ['earliest', 'latest'] -%}
        {{ exceptions.raise_compiler_error("startup_mode is '" ~ mode ~ "'; RisingWave knows 'earliest' and 'latest'") }}
    {%- endif -%}
    connector = 'kafka',
    topic = '{{ topic }}',
    properties.bootstrap.server = '{{ (target.kafka or var('kafka')).bootstrap }}',
    scan.startup.mode = '{{ mode }}'
{%- endmacro %}
