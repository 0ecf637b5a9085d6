create sink if not exists "dev"."public"."iceberg_devices_sink" into "dev"."public"."iceberg_devices"
from "dev"."public"."devices"
with (
    type = 'append-only',
    force_append_only = 'true'
)
