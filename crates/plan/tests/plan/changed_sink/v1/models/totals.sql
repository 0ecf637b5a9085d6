{{ config(materialized='sink') }}
create sink {{ this }} from {{ ref('orders') }}
with (
    connector = 'kafka',
    topic = 'totals',
    properties.bootstrap.server = 'broker:9092',
    primary_key = 'user_id'
) format upsert encode json
