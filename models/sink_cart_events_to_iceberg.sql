{# Carries cart events into the lake. #}
{{ config(materialized='sink', alias='iceberg_cart_events_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_cart_events') }}
from {{ ref('src_cart') }}
with (
    type = 'append-only'
)
