{{ config(materialized='table_with_connector') }}
create subscription x from y with (retention_seconds = 1)
