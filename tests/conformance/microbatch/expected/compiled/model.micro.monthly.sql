
with __dbt__cte__mid as (

select * from "dev"."public"."events"
) select * from __dbt__cte__mid