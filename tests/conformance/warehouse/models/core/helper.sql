{{ config(materialized='ephemeral') }}
select customer_id, upper(full_name) as name from {{ ref('customers', v=2) }}
