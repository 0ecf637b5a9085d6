{{ config(materialized='sink', connector='kafka') }}
select 1 as a
