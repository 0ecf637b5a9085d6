create table if not exists "dev"."public"."iceberg_campaigns" (
    campaign_id varchar,
    source varchar,
    medium varchar,
    campaign varchar,
    content varchar,
    term varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg
