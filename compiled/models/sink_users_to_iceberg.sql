create sink if not exists "dev"."public"."iceberg_users_sink" into "dev"."public"."iceberg_users"
from "dev"."public"."users"
with (
    type = 'append-only',
    force_append_only = 'true'
)
