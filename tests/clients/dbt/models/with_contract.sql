{{ config(materialized='table') }}
select code, people from {{ ref('as_view') }}
