

select * from "dev"."raw"."orders" where id <= 0
