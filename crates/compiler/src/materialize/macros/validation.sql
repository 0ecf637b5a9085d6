{#
  dbt-risingwave's checks RW001 to RW010: configurations and texts that RisingWave would refuse or nothing would read. The
  variable `risingwave_adapter_validation` is warn, error or off.
#}
{% macro risingwave__validation_report(code, message) -%}
    {%- set mode = var('risingwave_adapter_validation', 'warn') -%}
    {%- set mode = 'warn' if mode is none else mode | string | lower | trim -%}
    {%- set message = '[dbt-risingwave ' ~ code ~ '] ' ~ message -%}
    {%- if mode not in ['warn', 'error', 'off'] -%}
        {{ exceptions.raise_compiler_error('`risingwave_adapter_validation` must be one of `warn`, `error`, or `off`, got `' ~ var('risingwave_adapter_validation') ~ '`.') }}
    {%- elif mode == 'error' -%}
        {{ exceptions.raise_compiler_error(message) }}
    {%- elif mode == 'warn' -%}
        {%- do exceptions.warn(message) -%}
    {%- endif -%}
{%- endmacro %}

{% macro risingwave__validate_model_sql(sql, materialization, wraps_model_sql=false) -%}
    {%- set text = (sql | default('', true)) | trim | lower -%}
    {%- set ddl = text.startswith('create ') or text.startswith('drop ') or text.startswith('alter ') or text.startswith('truncate ') -%}
    {%- if wraps_model_sql and ddl -%}
        {%- do risingwave__validation_report('RW001', '`' ~ materialization ~ '` wraps model SQL in adapter-managed DDL, so the model SQL should usually be a query expression rather than a full DDL statement. Use a raw-DDL materialization such as `source`, `connection`, `secret`, `table_with_connector`, or raw `sink` when the model needs to provide the complete RisingWave DDL.') -%}
    {%- endif -%}
    {%- if 'create materialized view' in text and 'retention_seconds' in text -%}
        {%- do risingwave__validation_report('RW002', '`retention_seconds` is not a supported option on `CREATE MATERIALIZED VIEW`. Use `subscription` with `retention` for cross-database MV retention, or an append-only `CREATE TABLE ... WITH (retention_seconds = ...)` when table storage TTL is intended.') -%}
    {%- endif -%}
    {%- if 'create subscription' in text and 'retention_seconds' in text -%}
        {%- do risingwave__validation_report('RW003', '`CREATE SUBSCRIPTION` uses `WITH (retention = ...)`, not `retention_seconds`.') -%}
    {%- endif -%}
    {%- if config.get('retention_seconds') is not none -%}
        {%- do risingwave__validation_report('RW006', '`retention_seconds` is not rendered from dbt model config by dbt-risingwave. Put it in a raw RisingWave `CREATE TABLE ... WITH (...)` statement when table storage TTL is intended.') -%}
    {%- endif -%}
    {%- for code, key, readers, what in [
        ('RW007', 'retention', ['subscription'], 'the `subscription` materialization'),
        ('RW008', 'subscription_options', ['subscription'], 'the `subscription` materialization'),
    ] -%}
        {%- if materialization not in readers and config.get(key) is not none -%}
            {%- do risingwave__validation_report(code, '`' ~ key ~ '` is only used by ' ~ what ~ '. It is ignored by `' ~ materialization ~ '`.') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if materialization not in ['materialized_view', 'view', 'sink'] and config.get('zero_downtime') is not none -%}
        {%- do risingwave__validation_report('RW009', '`zero_downtime` is only supported by the `materialized_view`, `view`, and `sink` materializations. It is ignored by `' ~ materialization ~ '`.') -%}
    {%- endif -%}
    {%- if materialization not in ['materialized_view', 'materializedview'] and config.get('backfill_order') is not none -%}
        {%- do risingwave__validation_report('RW010', '`backfill_order` is only used by materialized-view materializations. It is ignored by `' ~ materialization ~ '`.') -%}
    {%- endif -%}
    {%- for index in config.get('indexes') or [] if index is mapping -%}
        {%- for code, option in [('RW004', 'unique'), ('RW005', 'type')] if index.get(option) is not none -%}
            {%- do risingwave__validation_report(code, '`indexes[].' ~ option ~ '` is a PostgreSQL adapter option and is ignored by dbt-risingwave. Remove it from the `' ~ materialization ~ '` model index config.') -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}
