{{ config(materialized='strict', limit=5) }}
select 1 as a
