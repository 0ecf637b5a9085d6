
    
    



select id
from "dev"."public"."dim_v3"
where id is null


