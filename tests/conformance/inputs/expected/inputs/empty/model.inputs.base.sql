
select id, ts from (select * from "dev"."public"."clicks" where false limit 0) _dbt_limit_subq_clicks