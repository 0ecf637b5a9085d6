{{ config(materialized='table') }}
select user_id, total from {{ ref('orders') }} where total > 1
