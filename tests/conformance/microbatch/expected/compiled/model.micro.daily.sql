
select e.*, 'none' as batch
from "dev"."public"."events" e
join "dev"."public"."events" everything on e.id = everything.id
join "dev"."public"."lookup" l on l.id = e.id
join "dev"."public"."clicks" c on c.id = e.id
