{{ config(materialized='materialized_view') }}
select * from {{ ref('big') }} union all select * from {{ ref('small') }}
