{{ config(materialized='view', grants={'select': ['reader', 'writer'], 'insert': 'x'}) }}
select 1 as a
