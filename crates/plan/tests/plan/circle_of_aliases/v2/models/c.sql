{{ config(materialized='materialized_view', alias='one') }}
select 3 as x
