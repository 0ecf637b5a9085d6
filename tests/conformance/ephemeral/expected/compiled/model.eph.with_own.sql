with  __dbt__cte__base as (
select 1 as a
),  __dbt__cte__second as (
-- a comment
select a * 2 as a from __dbt__cte__base
), x as (select * from __dbt__cte__second), y as (select 2)
select * from x