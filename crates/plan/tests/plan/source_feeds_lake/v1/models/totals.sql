{{ config(materialized='materialized_view') }}
select user_id, sum(amount) as total from {{ ref('orders_topic') }} group by user_id
