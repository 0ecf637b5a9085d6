{{ config(indexes=[{'columns': ['window_start'], 'distributed_by': ['window_start']}], backfill_order=['public.clicks -> public.views']) }}
select window_start, count(*) as n, {{ function('clean_url') }}(max(url)) as url
from tumble({{ ref('clicks') }}, at, interval '1 minute') group by window_start
