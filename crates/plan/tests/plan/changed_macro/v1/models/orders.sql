{{ config(materialized='materialized_view') }}
select user_id, {{ total('amount') }} as total from {{ ref('events') }} group by user_id
