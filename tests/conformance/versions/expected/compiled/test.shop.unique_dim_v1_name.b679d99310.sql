
    
    

select
    name as unique_field,
    count(*) as n_records

from "dev"."public"."dim_old"
where name is not null
group by name
having count(*) > 1


