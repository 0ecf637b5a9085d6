{# Carries the page catalog into the lake. #}
{{ config(materialized='sink', alias='iceberg_page_catalog_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_page_catalog') }}
from {{ ref('page_catalog') }}
with (
    type = 'append-only',
    force_append_only = 'true'
)
