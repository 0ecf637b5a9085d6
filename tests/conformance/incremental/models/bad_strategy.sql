{{ config(materialized='incremental', incremental_strategy='merge', unique_key='a') }}
select 1 as a
