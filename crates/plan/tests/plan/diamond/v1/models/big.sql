{{ config(materialized='materialized_view') }}
select user_id from {{ ref('orders') }} where total > 100
