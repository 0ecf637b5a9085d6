{{ config(materialized='materialized_view', alias='one') }}
select 1 as x
