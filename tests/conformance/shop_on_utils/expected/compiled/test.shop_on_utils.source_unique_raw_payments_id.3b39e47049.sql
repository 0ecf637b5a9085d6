
    
    

select
    id as unique_field,
    count(*) as n_records

from "dev"."raw_dev"."app_payments"
where id is not null
group by id
having count(*) > 1


