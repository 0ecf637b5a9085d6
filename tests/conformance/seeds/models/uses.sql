{{ config(materialized='materialized_view') }}
select c.name, k.n from {{ ref('countries') }} c join {{ ref('codes') }} k on true
