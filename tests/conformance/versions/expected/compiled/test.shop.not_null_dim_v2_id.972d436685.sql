
    
    



select id
from "dev"."public"."dim_v2"
where id is null


