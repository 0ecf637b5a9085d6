


select id, name from "dev"."public"."orders"
