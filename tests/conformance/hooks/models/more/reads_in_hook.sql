{{ config(materialized='materialized_view', post_hook="insert into x select * from {{ ref('plain') }}") }}
select 3 as a
