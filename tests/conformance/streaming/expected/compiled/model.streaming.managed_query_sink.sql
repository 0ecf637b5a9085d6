
select id from "dev"."public"."totals"