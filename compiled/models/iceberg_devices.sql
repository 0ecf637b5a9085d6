create table if not exists "dev"."public"."iceberg_devices" (
    device_id varchar,
    device_type varchar,
    os varchar,
    browser varchar,
    user_agent varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg
