
    
    

select
    name as unique_field,
    count(*) as n_records

from "dev"."public"."dim_v2"
where name is not null
group by name
having count(*) > 1


