{{ config(unique_key=['customer_id', 'month'], incremental_strategy='delete+insert', incremental_predicates=["month > '2020-01'"], alias='general_ledger', sql_header='set query_mode = local;') }}
select customer_id, '2024-01' as month, 10.5 as amount from {{ ref('customers') }}
{% if is_incremental() -%}
where customer_id > (select coalesce(max(customer_id), 0) from {{ this }})
{%- endif %}
