{{ config(materialized='view') }}
select user_id from {{ ref('events') }}
