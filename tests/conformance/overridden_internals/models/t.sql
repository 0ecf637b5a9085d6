{{ config(materialized='table', indexes=[{'columns': ['a', 'b']}], grants={'select': ['x', 'y']}, streaming_parallelism=3, schema='own_schema') }}
select 1 as a, 2 as b
