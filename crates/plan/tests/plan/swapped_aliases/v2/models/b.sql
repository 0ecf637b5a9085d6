{{ config(materialized='materialized_view', alias='one') }}
select 2 as x
