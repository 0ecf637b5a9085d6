{{ config(materialized='strict') }}
select 1 as a
