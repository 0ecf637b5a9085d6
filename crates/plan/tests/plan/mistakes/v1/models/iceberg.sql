{{ config(materialized='sink') }}
create sink {{ this }} from {{ ref('joined') }} with (connector = 'iceberg', type = 'append-only', table.name = 'joined')
