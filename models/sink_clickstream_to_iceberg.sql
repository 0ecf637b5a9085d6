{# Carries clickstream events into the lake. #}
{{ config(materialized='sink', alias='iceberg_clickstream_events_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_clickstream_events') }}
from {{ ref('clickstream_events') }}
with (
    type = 'append-only',
    force_append_only = 'true'
)
