{# Clickstream events in the lake. #}
{{ config(materialized='iceberg_table', tags=['iceberg']) }}

create table if not exists {{ this }} (
    event_id varchar,
    user_id bigint,
    session_id varchar,
    event_type varchar,
    page_url varchar,
    element_id varchar,
    event_time varchar,
    referrer varchar,
    campaign_id varchar,
    revenue_usd double precision,
    ingested_at varchar
) with (commit_checkpoint_interval = {{ var('lake_commit_interval') }}) engine = iceberg
