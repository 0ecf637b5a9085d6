{# Devices in the lake. #}
{{ config(materialized='iceberg_table', tags=['iceberg']) }}

create table if not exists {{ this }} (
    device_id varchar,
    device_type varchar,
    os varchar,
    browser varchar,
    user_agent varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = {{ var('lake_commit_interval') }}) engine = iceberg
