select id, amount, '{{ var("country") }}' as country
from {{ source('raw', 'orders') }}
