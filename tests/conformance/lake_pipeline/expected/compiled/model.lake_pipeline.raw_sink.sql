
create sink "dev"."public"."raw_sink" from "dev"."public"."by_minute" with (connector = 'blackhole', type = 'append-only', force_append_only = 'true')