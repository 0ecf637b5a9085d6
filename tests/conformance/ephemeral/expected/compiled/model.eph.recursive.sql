
with recursive  __dbt__cte__base as (
select 1 as a
), t(n) as (select a from __dbt__cte__base union all select n + 1 from t where n < 5)
select * from t