{{ config(materialized='materialized_view') }}
WITH mine as (
  select * from {{ ref('base') }}
)
select * from mine join {{ ref('with_own') }} using (a)
