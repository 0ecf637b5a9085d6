{{ config(materialized='view') }}
select user_id, total from {{ ref('totals') }} where total > 10
