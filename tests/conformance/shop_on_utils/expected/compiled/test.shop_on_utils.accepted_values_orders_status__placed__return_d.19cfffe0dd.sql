
    
    

with all_values as (

    select
        status as value_field,
        count(*) as n_records

    from "dev"."public_marts"."orders"
    group by status

)

select *
from all_values
where value_field not in (
    'placed','return'd'
)


