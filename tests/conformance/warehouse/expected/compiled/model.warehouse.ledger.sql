
select customer_id, '2024-01' as month, 10.5 as amount from "dev"."public"."customers_ver2"
