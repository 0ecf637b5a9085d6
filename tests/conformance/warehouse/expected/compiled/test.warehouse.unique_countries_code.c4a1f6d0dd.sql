
    
    

select
    code as unique_field,
    count(*) as n_records

from "dev"."public_ref"."countries"
where code is not null
group by code
having count(*) > 1


