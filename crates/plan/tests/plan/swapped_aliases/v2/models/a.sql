{{ config(materialized='materialized_view', alias='two', indexes=[{'columns': ['x']}]) }}
select 1 as x
