
create materialized view "dev"."public"."rw002" with (retention_seconds = 10) as select 1