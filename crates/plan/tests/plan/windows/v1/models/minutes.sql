{{ config(materialized='materialized_view') }}
select orders_topic.user_id, window_start from tumble({{ ref('orders_topic') }}, ts, interval '1 minute')
