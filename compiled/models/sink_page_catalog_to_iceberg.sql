create sink if not exists "dev"."public"."iceberg_page_catalog_sink" into "dev"."public"."iceberg_page_catalog"
from "dev"."public"."page_catalog"
with (
    type = 'append-only',
    force_append_only = 'true'
)
