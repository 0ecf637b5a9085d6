{{ config(materialized='materialized_view') }}
-- totals by user
SELECT user_id,
       SUM(amount) AS total
  FROM {{ ref('events') }} GROUP BY user_id;
