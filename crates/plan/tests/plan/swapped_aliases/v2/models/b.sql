{{ config(materialized='materialized_view', alias='one', indexes=[{'columns': ['x']}]) }}
select 2 as x
