{# Carries purchases into the lake. #}
{{ config(materialized='sink', alias='iceberg_purchases_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_purchases') }}
from {{ ref('src_purchase') }}
with (
    type = 'append-only'
)
