{# The page catalog in the lake. #}
{{ config(materialized='iceberg_table', tags=['iceberg']) }}

create table if not exists {{ this }} (
    page_url varchar,
    page_category varchar,
    product_id varchar,
    product_category varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = {{ var('lake_commit_interval') }}) engine = iceberg
