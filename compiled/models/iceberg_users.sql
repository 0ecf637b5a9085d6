create table if not exists "dev"."public"."iceberg_users" (
    user_id bigint,
    full_name varchar,
    email varchar,
    country varchar,
    signup_time varchar,
    marketing_opt_in boolean,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg
