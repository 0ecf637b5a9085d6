{# Carries users into the lake. #}
{{ config(materialized='sink', alias='iceberg_users_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_users') }}
from {{ ref('users') }}
with (
    type = 'append-only',
    force_append_only = 'true'
)
