{{ config(materialized='view') }}

select customer_id, orders, total
from {{ ref('customer_totals') }}
where total > 500
