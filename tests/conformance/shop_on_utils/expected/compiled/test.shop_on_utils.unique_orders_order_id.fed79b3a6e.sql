
    
    

select
    order_id as unique_field,
    count(*) as n_records

from (select * from "dev"."public_marts"."orders" where status <> 'x') dbt_subquery
where order_id is not null
group by order_id
having count(*) > 1


