{{ config(materialized='table_with_connector', indexes=[{'columns': ['id']}], on_schema_change='append_new_columns', additive_schema_evolution=[{'name': 'extra', 'data_type': 'varchar'}, {'name': 'n', 'data_type': 'int', 'default': '0', 'not_null': true}]) }}
CREATE TABLE {{ this }} (id int primary key) WITH (connector = 'postgres-cdc')
