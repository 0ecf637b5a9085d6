
with __dbt__cte__mid as (

select * from "dev"."public"."the_base"
) select id from __dbt__cte__mid