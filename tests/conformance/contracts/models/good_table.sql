{{ config(materialized='table') }}
select name, id /* good_table */ from {{ ref('good_view') }}
