with __dbt__cte__base as (
select 1 as a
),  __dbt__cte__second as (
-- a comment
select a * 2 as a from __dbt__cte__base
) select * from __dbt__cte__base union all select * from __dbt__cte__second union all select * from __dbt__cte__base