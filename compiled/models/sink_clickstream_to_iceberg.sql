create sink if not exists "dev"."public"."iceberg_clickstream_events_sink" into "dev"."public"."iceberg_clickstream_events"
from "dev"."public"."clickstream_events"
with (
    type = 'append-only',
    force_append_only = 'true'
)
