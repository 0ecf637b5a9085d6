{{ config(materialized='two_tables') }}
select user_id from {{ ref('orders') }}
