{{ config(materialized='view') }}
select user_id, total from public.orders where total > 10
