{{ config(materialized='table_with_connector', on_schema_change='append_new_columns', additive_schema_evolution=[{'name': 'country', 'data_type': 'varchar', 'default': "'xx'"}]) }}
create table {{ this }} (
    id int primary key,
    user_id int,
    amount double precision
)
