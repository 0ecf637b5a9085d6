{{ config(materialized='materialized_view', pre_hook='set streaming_parallelism = 2', post_hook='insert into audit values (1)') }}
select user_id, sum(amount) as total
from {{ ref('events') }}
group by user_id
