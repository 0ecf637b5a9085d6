
select * from (select * from "dev"."public"."versioned_v1" where false limit 0) _dbt_limit_subq_versioned_v1