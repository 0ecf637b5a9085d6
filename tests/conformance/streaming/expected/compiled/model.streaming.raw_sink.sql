
CREATE SINK IF NOT EXISTS "dev"."public"."raw_sink" FROM "dev"."public"."totals" WITH (connector = 'blackhole')