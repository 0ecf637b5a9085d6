{{ config(materialized='materialized_view', alias='three') }}
select 2 as x
