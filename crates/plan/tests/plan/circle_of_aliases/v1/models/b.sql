{{ config(materialized='materialized_view', alias='two') }}
select 2 as x
