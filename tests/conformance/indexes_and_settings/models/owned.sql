{{ config(materialized='table', schema='owned', schema_authorization='boss') }}
select 1 as a
