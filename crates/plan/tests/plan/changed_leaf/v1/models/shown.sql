{{ config(materialized='view') }}
select t.user_id from {{ ref('top') }} t
