{{ config(materialized='table') }}
select * from {{ ref('as_materialized_view') }}
