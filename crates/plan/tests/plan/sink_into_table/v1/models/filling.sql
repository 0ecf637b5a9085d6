{{ config(materialized='sink') }}
create sink {{ this }} into {{ ref('history') }} (user_id, total) as select user_id, total from {{ ref('orders') }} with (type = 'append-only', force_append_only = 'true')
