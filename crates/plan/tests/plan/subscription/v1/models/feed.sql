{{ config(materialized='subscription', retention='2D') }}
{{ ref('orders') }}
