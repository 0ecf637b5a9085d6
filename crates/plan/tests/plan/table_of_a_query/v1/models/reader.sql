{{ config(materialized='materialized_view') }}
select count(*) as n from {{ ref('frozen') }}
