
    
    

select
    id as unique_field,
    count(*) as n_records

from "dev"."public"."dim_v2"
where id is not null
group by id
having count(*) > 1


