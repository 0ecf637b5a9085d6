{{ config(materialized='materialized_view', alias='one', indexes=[{'columns': ['x']}]) }}
select 1 as x
