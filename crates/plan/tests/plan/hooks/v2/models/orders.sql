{{ config(materialized='materialized_view', pre_hook='set streaming_parallelism = 2', post_hook='insert into audit values (2)') }}
select user_id, sum(amount) as total, count(amount) as orders
from {{ ref('events') }}
group by user_id
