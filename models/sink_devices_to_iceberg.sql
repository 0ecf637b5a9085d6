{# Carries devices into the lake. #}
{{ config(materialized='sink', alias='iceberg_devices_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_devices') }}
from {{ ref('devices') }}
with (
    type = 'append-only',
    force_append_only = 'true'
)
