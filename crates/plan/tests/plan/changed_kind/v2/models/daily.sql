{{ config(materialized='materialized_view') }}
select user_id, total from {{ ref('orders') }}
