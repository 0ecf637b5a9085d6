
-- depends_on: "dev"."public"."kafka_secret"
create source "dev"."public"."clicks" (
    user_id int, url varchar, at timestamptz,
    watermark for at as at - interval '5 seconds'
) include key as k include timestamp as kafka_at
with (
    connector = 'kafka',
    topic = 'clicks',
    properties.bootstrap.server = 'redpanda:9092',
    scan.startup.mode = 'earliest',
    source_rate_limit = 300,
    properties.sasl.password = secret "public"."kafka_secret"
) format plain encode json