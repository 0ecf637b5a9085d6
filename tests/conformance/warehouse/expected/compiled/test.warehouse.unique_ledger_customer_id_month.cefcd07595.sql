
    
    

select
    customer_id || month as unique_field,
    count(*) as n_records

from "dev"."public"."general_ledger"
where customer_id || month is not null
group by customer_id || month
having count(*) > 1


