
    
    



select id
from "dev"."public"."dim_old"
where id is null


