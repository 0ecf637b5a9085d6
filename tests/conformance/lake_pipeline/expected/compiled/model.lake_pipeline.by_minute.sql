
select window_start, count(*) as n, "dev"."public"."clean_url"(max(url)) as url
from tumble("dev"."public"."clicks", at, interval '1 minute') group by window_start