{{ config(materialized='materialized_view') }}
select w.user_id, c.amount
from tumble({{ ref('clicks') }}, ts, interval '1 minute') w
join {{ ref('clicks') }} c
    on c.ts between w.window_start and w.window_end
