create table if not exists "dev"."public"."iceberg_sessions" (
    session_id varchar,
    user_id bigint,
    device_id varchar,
    session_start varchar,
    ip_address varchar,
    geo_city varchar,
    geo_region varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg
