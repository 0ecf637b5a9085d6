{{ config(materialized='sink', sink_rate_limit=10, sink_decouple='x') }}
create sink {{ this }} from {{ ref('by_minute') }} with (connector = 'blackhole', type = 'append-only', force_append_only = 'true')
