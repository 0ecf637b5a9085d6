
with v as (select id as f from (select * from "dev"."public"."orders" where id > 2) dbt_subquery)
select f from v where f % 2 <> 0
