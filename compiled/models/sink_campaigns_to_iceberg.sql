create sink if not exists "dev"."public"."iceberg_campaigns_sink" into "dev"."public"."iceberg_campaigns"
from "dev"."public"."campaigns"
with (
    type = 'append-only',
    force_append_only = 'true'
)
