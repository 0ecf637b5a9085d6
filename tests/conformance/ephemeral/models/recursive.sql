{{ config(materialized='table') }}
with recursive t(n) as (select a from {{ ref('base') }} union all select n + 1 from t where n < 5)
select * from t
