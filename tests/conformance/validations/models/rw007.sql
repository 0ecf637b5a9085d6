{{ config(materialized='view', retention='1 day') }}
select 1 as a
