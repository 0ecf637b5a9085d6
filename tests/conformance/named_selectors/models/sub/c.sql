{{ config(tags=['nightly', 'x'], materialized='table') }}
select * from {{ ref('b') }} join {{ ref('d') }} using (a)
