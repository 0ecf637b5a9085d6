create table if not exists "dev"."public"."iceberg_purchases" (
    user_id int,
    amount double precision,
    event_time timestamp
) with (commit_checkpoint_interval = 2) engine = iceberg
