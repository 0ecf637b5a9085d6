{{ config(materialized='materialized_view', indexes=[{'columns': ['user_id']}]) }}
select orders.user_id from {{ ref('top') }} as t join {{ ref('orders') }} on orders.user_id = t.user_id
