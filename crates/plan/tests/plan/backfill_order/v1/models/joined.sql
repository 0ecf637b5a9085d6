{{ config(materialized='materialized_view', backfill_order=['public.events -> public.orders']) }}
select e.user_id from {{ ref('events') }} e join {{ ref('orders') }} o on o.user_id = e.user_id
