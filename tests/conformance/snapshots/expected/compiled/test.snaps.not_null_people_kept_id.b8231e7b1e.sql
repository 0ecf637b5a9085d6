
    
    



select id
from "dev"."public_kept"."people_history"
where id is null


