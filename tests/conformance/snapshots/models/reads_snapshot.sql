select * from {{ ref('orders_by_time') }}
