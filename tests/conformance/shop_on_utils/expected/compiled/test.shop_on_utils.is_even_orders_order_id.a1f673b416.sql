
select order_id from "dev"."public_marts"."orders" where order_id % 2 <> 0
