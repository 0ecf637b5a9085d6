create table if not exists "dev"."public"."iceberg_cart_events" (
    user_id int,
    item_id varchar,
    event_time timestamp
) with (commit_checkpoint_interval = 2) engine = iceberg
