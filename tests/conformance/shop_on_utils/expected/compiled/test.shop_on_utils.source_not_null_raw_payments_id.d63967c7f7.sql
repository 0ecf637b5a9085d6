
    
    



select id
from "dev"."raw_dev"."app_payments"
where id is null


