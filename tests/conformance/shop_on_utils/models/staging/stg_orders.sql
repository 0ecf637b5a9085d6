{{ config(materialized='table_with_connector', schema='stg') }}
create table {{ this }} (
    order_id bigint primary key,
    customer_id int,
    status varchar,
    amount numeric,
    created_at timestamp
)
