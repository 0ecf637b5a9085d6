{{ config(materialized='incremental', on_schema_change='sync_all_columns', unique_key='a', incremental_strategy='delete+insert') }}
select 1 as a, 2 as b
