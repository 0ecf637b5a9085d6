
WITH  __dbt__cte__base as (
select 1 as a
),  __dbt__cte__second as (
-- a comment
select a * 2 as a from __dbt__cte__base
),  __dbt__cte__with_own as (
with x as (select * from __dbt__cte__second), y as (select 2)
select * from x
), mine as (
  select * from __dbt__cte__base
)
select * from mine join __dbt__cte__with_own using (a)