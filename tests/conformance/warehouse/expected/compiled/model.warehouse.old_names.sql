with  __dbt__cte__helper as (

select customer_id, upper(full_name) as name from "dev"."public"."customers_ver2"
), h as (select * from __dbt__cte__helper)
select h.*, v1.name as old from h join "dev"."public"."customers_ver1" v1 using (customer_id)