with __dbt__cte__base as (
select 1 as a
) /* leading */ -- comment with the word with
select * from __dbt__cte__base -- with