
select id, ts from (select * from "dev"."public"."clicks" where "Clicked" >= '2024-05-01 00:00:00+00:00' and "Clicked" < '2024-05-08 18:00:00+00:00') _dbt_et_filter_subq_clicks