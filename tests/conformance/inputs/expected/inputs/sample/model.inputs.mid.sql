
select * from (select * from "dev"."public"."the_base" where ts >= '2024-05-01 00:00:00+00:00' and ts < '2024-05-08 18:00:00+00:00') _dbt_et_filter_subq_the_base