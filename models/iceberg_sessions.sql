{# Sessions in the lake. #}
{{ config(materialized='iceberg_table', tags=['iceberg']) }}

create table if not exists {{ this }} (
    session_id varchar,
    user_id bigint,
    device_id varchar,
    session_start varchar,
    ip_address varchar,
    geo_city varchar,
    geo_region varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = {{ var('lake_commit_interval') }}) engine = iceberg
