
select * from "dev"."public"."orders" where customer_id is null