{# Users in the lake. #}
{{ config(materialized='iceberg_table', tags=['iceberg']) }}

create table if not exists {{ this }} (
    user_id bigint,
    full_name varchar,
    email varchar,
    country varchar,
    signup_time varchar,
    marketing_opt_in boolean,
    ingested_at varchar
) with (commit_checkpoint_interval = {{ var('lake_commit_interval') }}) engine = iceberg
