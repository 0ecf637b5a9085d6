
    
    



select id
from "dev"."raw"."orders"
where id is null


