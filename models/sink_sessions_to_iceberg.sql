{# Carries sessions into the lake. #}
{{ config(materialized='sink', alias='iceberg_sessions_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_sessions') }}
from {{ ref('sessions') }}
with (
    type = 'append-only',
    force_append_only = 'true'
)
