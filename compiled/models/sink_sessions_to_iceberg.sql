create sink if not exists "dev"."public"."iceberg_sessions_sink" into "dev"."public"."iceberg_sessions"
from "dev"."public"."sessions"
with (
    type = 'append-only',
    force_append_only = 'true'
)
