

  
  

select
    
    status, 
    count(distinct customer_id) as filler_column
from "dev"."public_marts"."orders"
  group by status
having count(distinct customer_id) = 1
