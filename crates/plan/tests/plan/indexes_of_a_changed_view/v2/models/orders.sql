{{ config(materialized='materialized_view', indexes=[{'columns': ['user_id']}, {'columns': ['orders']}]) }}
select user_id, count(*) as orders from {{ ref('events') }} group by user_id
