{{ config(materialized='materialized_view', pre_hook='select 1 as before') }}
select 1 as id
