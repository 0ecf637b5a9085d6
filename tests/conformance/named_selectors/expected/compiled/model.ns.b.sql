
select * from "dev"."public"."a"