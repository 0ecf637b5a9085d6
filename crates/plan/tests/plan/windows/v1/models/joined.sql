{{ config(materialized='materialized_view') }}
select minutes.user_id from {{ ref('minutes') }} join {{ ref('minutes') }} as other on other.user_id = minutes.user_id where minutes.user_id in (select user_id from {{ ref('minutes') }})
