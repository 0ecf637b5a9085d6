{{ config(materialized='view') }}
select orders.user_id, c.name from {{ ref('orders') }} join {{ ref('countries') }} c on c.id = orders.user_id
