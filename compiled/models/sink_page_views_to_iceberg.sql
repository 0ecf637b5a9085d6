create sink if not exists "dev"."public"."iceberg_page_views_sink" into "dev"."public"."iceberg_page_views"
from "dev"."public"."src_page"
with (
    type = 'append-only'
)
