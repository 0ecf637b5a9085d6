
select a, b, v from "dev"."public"."plain"