{{ config(materialized='materialized_view') }}
select user_id, count(*) as total from {{ ref('events') }} group by user_id
