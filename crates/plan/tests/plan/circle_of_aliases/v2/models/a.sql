{{ config(materialized='materialized_view', alias='two') }}
select 1 as x
