{{ config(materialized='view') }}
{{ helpers.log_info('days') }}
{{ helpers.date_spine('day', '2024-01-01', '2024-01-05') }}
