{{ config(materialized='sink', connector='kafka', pre_hook='set x = 1') }}
select 1 as a
