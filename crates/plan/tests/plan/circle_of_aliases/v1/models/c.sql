{{ config(materialized='materialized_view', alias='three') }}
select 3 as x
