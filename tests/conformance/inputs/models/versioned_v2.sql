{{ config(materialized='materialized_view', event_time='at') }}
select * from {{ ref('versioned', v=1) }}
