
select id, ts from "dev"."public"."clicks"