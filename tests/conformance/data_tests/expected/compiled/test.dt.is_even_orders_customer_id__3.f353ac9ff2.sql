
with v as (select customer_id as f from "dev"."public"."orders")
select f from v where f % 3 <> 0
