create sink if not exists "dev"."public"."iceberg_purchases_sink" into "dev"."public"."iceberg_purchases"
from "dev"."public"."src_purchase"
with (
    type = 'append-only'
)
