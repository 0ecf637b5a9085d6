with __dbt__cte__base as (
select 1 as a
) -- a comment
select a * 2 as a from __dbt__cte__base