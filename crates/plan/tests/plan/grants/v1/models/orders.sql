{{ config(materialized='materialized_view', grants={'select': ['ann', 'bob']}) }}
select user_id, sum(amount) as total
from {{ ref('events') }}
group by user_id
