{{ config(materialized='table', event_time='ts', alias='the_base') }}
select id, ts from {{ source('raw', 'clicks') }}
