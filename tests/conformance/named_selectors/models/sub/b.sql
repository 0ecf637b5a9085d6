{{ config(tags='nightly') }}
select * from {{ ref('a') }}
