{{ config(materialized='view', backfill_order=['a -> b']) }}
select 1 as a
