{{ config(materialized='materialized_view') }}
select id, name as amount, 'x' as label, 1 as "Odd" /* wrong_types */ from {{ ref('good_view') }}
