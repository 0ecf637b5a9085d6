
select customer_id, upper(full_name) as name from "dev"."public"."customers_ver2"