{{ config(materialized='sink') }}
create sink {{ this }} into {{ ref('lake_orders') }} from {{ ref('orders') }} with (type = 'append-only', force_append_only = 'true')
