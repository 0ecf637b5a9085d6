{{ config(materialized='view') }}
select 1 as id /* missing_column */
