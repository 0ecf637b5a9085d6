
    
    



select id
from "dev"."public"."the_base"
where id is null


