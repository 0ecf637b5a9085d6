
    
    



select level
from "dev"."public_utils"."calendar"
where level is null


