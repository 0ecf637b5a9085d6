{{ config(materialized='materialized_view') }}
select user_id, sum(amount) as total from {{ ref('events') }} where amount > {{ env_var('LEAST', '0') }} group by user_id
