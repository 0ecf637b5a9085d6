{{ config(materialized='table_with_connector') }}
create table {{ this }} (user_id int, total double precision, primary key (user_id))
