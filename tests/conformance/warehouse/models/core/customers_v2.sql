{{ config(contract={'enforced': true}) }}
select 1 as customer_id, cast('a' as varchar) as full_name
