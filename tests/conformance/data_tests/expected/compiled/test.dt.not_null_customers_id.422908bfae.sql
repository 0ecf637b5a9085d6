
    
    



select id
from "dev"."public"."customers"
where id is null


