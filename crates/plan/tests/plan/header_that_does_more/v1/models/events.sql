{{ config(materialized='table_with_connector') }}
create table {{ this }} (
    id int primary key,
    user_id int
)
