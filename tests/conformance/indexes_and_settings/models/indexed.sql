{{ config(materialized='materialized_view', indexes=[{'columns': ['a']}, {'columns': ['b', 'c'], 'include': ['d'], 'distributed_by': ['b']}]) }}
select 1 as a, 2 as b, 3 as c, 4 as d
