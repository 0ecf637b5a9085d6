{{ config(materialized='materialized_view') }}
select user_id from {{ ref('daily') }} where total > 5
