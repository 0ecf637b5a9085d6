{{ config(materialized='materialized_view') }}
select user_id, total from {{ ref('orders') }} order by total desc limit 10
