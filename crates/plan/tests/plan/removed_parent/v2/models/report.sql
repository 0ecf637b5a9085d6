{{ config(materialized='view') }}
select user_id, amount as total from {{ ref('events') }}
