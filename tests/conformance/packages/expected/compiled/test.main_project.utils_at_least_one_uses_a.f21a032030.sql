
select a from "dev"."public"."uses" having count(*) = 0
