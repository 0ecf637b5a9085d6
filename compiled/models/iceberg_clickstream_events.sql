create table if not exists "dev"."public"."iceberg_clickstream_events" (
    event_id varchar,
    user_id bigint,
    session_id varchar,
    event_type varchar,
    page_url varchar,
    element_id varchar,
    event_time varchar,
    referrer varchar,
    campaign_id varchar,
    revenue_usd double precision,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg
