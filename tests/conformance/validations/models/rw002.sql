{{ config(materialized='source') }}
create materialized view {{ this }} with (retention_seconds = 10) as select 1
