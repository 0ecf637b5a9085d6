

select * from "dev"."public"."orders" where id <= 0
