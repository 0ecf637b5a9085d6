{{ config(materialized='incremental', incremental_strategy='upsert', unique_key='a') }}
select a from {{ ref('t') }}
