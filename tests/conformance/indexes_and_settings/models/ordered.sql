{{ config(materialized='materialized_view', backfill_order=['a.b -> c.d', ' e -> f ']) }}
select 1 as a
