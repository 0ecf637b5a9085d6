
select * from "dev"."public"."the_base"