{{ config(materialized='subscription') }}
{{ ref('totals') }}
