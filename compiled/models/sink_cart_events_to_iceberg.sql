create sink if not exists "dev"."public"."iceberg_cart_events_sink" into "dev"."public"."iceberg_cart_events"
from "dev"."public"."src_cart"
with (
    type = 'append-only'
)
