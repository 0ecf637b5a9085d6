
create table "dev"."public_stg"."stg_orders" (
    order_id bigint primary key,
    customer_id int,
    status varchar,
    amount numeric,
    created_at timestamp
)