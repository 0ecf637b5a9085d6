{{ config(materialized='materialized_view', streaming_parallelism=4, backfill_rate_limit=500) }}
select user_id, sum(amount) as total
from {{ ref('events') }}
group by user_id
