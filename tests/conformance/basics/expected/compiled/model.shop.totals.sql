


select
    country,
    sum(amount) as total,
    7 as seven,
    1 as low,
    10.5 as high,
    'default' as absent,
    'None' as nothing,
    'for this package' as own
from "dev"."public"."orders" o
join "dev"."public"."customers" c using (id)
-- executing
where 'dev' = 'dev'
  and 'public' = 'public' and 'dev' = 'dev'
  and 'risingwavedev' <> 'shop'