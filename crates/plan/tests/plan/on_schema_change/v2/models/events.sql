{{ config(materialized='table_with_connector', on_schema_change='ignore') }}
create table {{ this }} (
    id int primary key,
    user_id int,
    amount double precision,
    country varchar
)
