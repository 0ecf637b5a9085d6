{{ config(materialized='materialized_view', zero_downtime={'enabled': true, 'immediate_cleanup': false}) }}
select user_id, sum(amount) as total, count(amount) as orders
from {{ ref('events') }}
group by user_id
