{{ config(materialized='iceberg_table') }}
create table if not exists {{ this }} (user_id int, total double precision) with (commit_checkpoint_interval = 60) engine = iceberg
