
select * from "dev"."public"."events"