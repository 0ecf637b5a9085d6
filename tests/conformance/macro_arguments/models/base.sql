{{ config(materialized='table') }}
select 'a' as k
