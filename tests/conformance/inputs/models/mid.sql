{{ config(materialized='ephemeral', event_time='ts') }}
select * from {{ ref('base') }}
