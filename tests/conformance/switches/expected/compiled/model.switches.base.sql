


select id, name::varchar, 1 as level from "dev"."raw"."people"
union all

select id, name::varchar, 2 as level from "dev"."raw"."people"
union all

select id, name::varchar, 3 as level from "dev"."raw"."people"

