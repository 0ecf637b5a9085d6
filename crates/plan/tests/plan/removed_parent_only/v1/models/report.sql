{{ config(materialized='view') }}
select user_id, total from {{ ref('orders') }} where total > 10
