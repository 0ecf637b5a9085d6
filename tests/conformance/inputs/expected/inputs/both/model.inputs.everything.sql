
with __dbt__cte__mid as (

select * from (select * from (select * from "dev"."public"."the_base" where false limit 0) _dbt_limit_subq_the_base where ts >= '2024-05-01 00:00:00+00:00' and ts < '2024-05-08 18:00:00.250000+00:00') _dbt_et_filter_subq_the_base
) select b.id, 'the_base' as name, 'True' as is_empty
from (select * from (select * from "dev"."public"."the_base" where false limit 0) _dbt_limit_subq_the_base where ts >= '2024-05-01 00:00:00+00:00' and ts < '2024-05-08 18:00:00.250000+00:00') _dbt_et_filter_subq_the_base as b
join "dev"."public"."the_base" whole on b.id = whole.id
join (select * from (select * from "public"."the_base" where false limit 0) _dbt_limit_subq_the_base where ts >= '2024-05-01 00:00:00+00:00' and ts < '2024-05-08 18:00:00.250000+00:00') _dbt_et_filter_subq_the_base near on b.id = near.id
join (select * from (select * from __dbt__cte__mid where false limit 0) _dbt_limit_subq___dbt__cte__mid where ts >= '2024-05-01 00:00:00+00:00' and ts < '2024-05-08 18:00:00.250000+00:00') _dbt_et_filter_subq___dbt__cte__mid m on m.id = b.id
join (select * from "dev"."public"."plain" where false limit 0) _dbt_limit_subq_plain p on p.id = b.id
join (select * from (select * from "dev"."public"."versioned_v2" where false limit 0) _dbt_limit_subq_versioned_v2 where at >= '2024-05-01 00:00:00+00:00' and at < '2024-05-08 18:00:00.250000+00:00') _dbt_et_filter_subq_versioned_v2 v on v.id = b.id
join (select * from (select * from "dev"."public"."clicks" where false limit 0) _dbt_limit_subq_clicks where "Clicked" >= '2024-05-01 00:00:00+00:00' and "Clicked" < '2024-05-08 18:00:00.250000+00:00') _dbt_et_filter_subq_clicks c on c.id = b.id
join (select * from "dev"."public"."users" where false limit 0) _dbt_limit_subq_users u on u.id = b.id
join (select * from "dev"."public"."codes" where false limit 0) _dbt_limit_subq_codes s on s.id = b.id

where exists (select 1 from (select * from (select * from "dev"."public"."the_base" where false limit 0) _dbt_limit_subq_the_base where ts >= '2024-05-01 00:00:00+00:00' and ts < '2024-05-08 18:00:00.250000+00:00') _dbt_et_filter_subq_the_base)