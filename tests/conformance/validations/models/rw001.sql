{{ config(materialized='materialized_view') }}
create materialized view x as select 1
