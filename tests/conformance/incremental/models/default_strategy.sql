{{ config(materialized='incremental', grants={'select': ['reader']}) }}
select 1 as a
