create table if not exists "dev"."public"."iceberg_page_views" (
    user_id int,
    page_id varchar,
    event_time timestamp
) with (commit_checkpoint_interval = 2) engine = iceberg
