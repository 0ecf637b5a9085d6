{{ config(materialized='materialized_view') }}
select id, count(*) as n from {{ ref('kafka_events') }} group by id
