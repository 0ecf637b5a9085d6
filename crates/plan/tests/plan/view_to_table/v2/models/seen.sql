{{ config(materialized='table') }}
select user_id from {{ ref('events') }}
