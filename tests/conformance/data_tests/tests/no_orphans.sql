{{ config(tags=['nightly'], severity='error', store_failures=true) }}
select * from {{ ref('orders') }} where customer_id is null
