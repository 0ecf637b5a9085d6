{{ config(materialized='materialized_view', full_refresh=false) }}
select 1 as x
