select 1 from {{ source('raw', 'orders') }} where false
