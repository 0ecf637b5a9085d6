{{ config(materialized='sink') }}
create sink {{ this }} into {{ ref('lake_totals') }} from {{ ref('totals') }} with (type = 'append-only', force_append_only = 'true')
