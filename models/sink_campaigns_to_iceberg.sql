{# Carries campaigns into the lake. #}
{{ config(materialized='sink', alias='iceberg_campaigns_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_campaigns') }}
from {{ ref('campaigns') }}
with (
    type = 'append-only',
    force_append_only = 'true'
)
