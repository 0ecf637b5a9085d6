{# Campaigns in the lake. #}
{{ config(materialized='iceberg_table', tags=['iceberg']) }}

create table if not exists {{ this }} (
    campaign_id varchar,
    source varchar,
    medium varchar,
    campaign varchar,
    content varchar,
    term varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = {{ var('lake_commit_interval') }}) engine = iceberg
