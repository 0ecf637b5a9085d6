
    
    



select *
from "dev"."public"."customers_ver2"
where full_name is null


