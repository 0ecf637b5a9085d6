
    
    



select id
from (select * from "dev"."public"."orders" where status = 'new') dbt_subquery
where id is null


