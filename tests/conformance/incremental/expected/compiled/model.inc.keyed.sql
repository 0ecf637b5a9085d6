
select id, name from "dev"."public"."plain"
