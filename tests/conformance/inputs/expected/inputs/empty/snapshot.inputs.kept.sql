

select * from (select * from "dev"."public"."the_base" where false limit 0) _dbt_limit_subq_the_base