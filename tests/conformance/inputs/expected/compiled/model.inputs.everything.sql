
with __dbt__cte__mid as (

select * from "dev"."public"."the_base"
) select b.id, 'the_base' as name, 'False' as is_empty
from "dev"."public"."the_base" as b
join "dev"."public"."the_base" whole on b.id = whole.id
join "public"."the_base" near on b.id = near.id
join __dbt__cte__mid m on m.id = b.id
join "dev"."public"."plain" p on p.id = b.id
join "dev"."public"."versioned_v2" v on v.id = b.id
join "dev"."public"."clicks" c on c.id = b.id
join "dev"."public"."users" u on u.id = b.id
join "dev"."public"."codes" s on s.id = b.id

where exists (select 1 from "dev"."public"."the_base")