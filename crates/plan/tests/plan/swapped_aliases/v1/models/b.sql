{{ config(materialized='materialized_view', alias='two', indexes=[{'columns': ['x']}]) }}
select 2 as x
