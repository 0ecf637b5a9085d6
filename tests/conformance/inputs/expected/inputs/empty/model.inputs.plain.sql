
with __dbt__cte__mid as (

select * from (select * from "dev"."public"."the_base" where false limit 0) _dbt_limit_subq_the_base
) select id from (select * from __dbt__cte__mid where false limit 0) _dbt_limit_subq___dbt__cte__mid