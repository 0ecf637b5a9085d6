{{ config(materialized='view') }}
select t.user_id, t.total from {{ ref('top') }} t
