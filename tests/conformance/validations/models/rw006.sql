{{ config(materialized='view', retention_seconds=10) }}
select 1 as a
