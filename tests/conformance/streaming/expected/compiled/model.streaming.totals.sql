
select id, count(*) as n from "dev"."public"."kafka_events" group by id