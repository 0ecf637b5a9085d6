{{ config(materialized='materialized_view') }}
select user_id from {{ ref('events') }}
