{# Carries page views into the lake. #}
{{ config(materialized='sink', alias='iceberg_page_views_sink', tags=['iceberg']) }}

create sink if not exists {{ this }} into {{ ref('iceberg_page_views') }}
from {{ ref('src_page') }}
with (
    type = 'append-only'
)
