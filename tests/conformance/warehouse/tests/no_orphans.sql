{{ config(error_if='>10', warn_if='>0', store_failures=false, group='finance', fail_calc='sum(n)') }}
select count(*) as n from {{ ref('ledger') }} l left join {{ ref('customers') }} c using (customer_id) where c.customer_id is null
