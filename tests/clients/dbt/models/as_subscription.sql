{{ config(materialized='subscription', retention='1D') }}
{{ ref('as_materialized_view') }}
