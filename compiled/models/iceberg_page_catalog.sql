create table if not exists "dev"."public"."iceberg_page_catalog" (
    page_url varchar,
    page_category varchar,
    product_id varchar,
    product_category varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg
