{{ config(materialized='materialized_view') }}
select user_id, sum(amount) as total, count(amount) as orders
from {{ ref('events') }}
group by user_id
