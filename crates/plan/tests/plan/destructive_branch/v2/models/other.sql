{{ config(materialized='materialized_view') }}
select id, user_id from {{ ref('events') }}
