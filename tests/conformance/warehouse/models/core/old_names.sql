with h as (select * from {{ ref('helper') }})
select h.*, v1.name as old from h join {{ ref('customers', version=1) }} v1 using (customer_id)
