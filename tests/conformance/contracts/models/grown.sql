{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='append_new_columns') }}
select id /* grown */ from {{ ref('good_view') }}
