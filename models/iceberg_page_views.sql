{# Page views in the lake. #}
{{ config(materialized='iceberg_table', tags=['iceberg']) }}

create table if not exists {{ this }} (
    user_id int,
    page_id varchar,
    event_time timestamp
) with (commit_checkpoint_interval = {{ var('lake_commit_interval') }}) engine = iceberg
