{{ config(materialized='sink') }}
CREATE SINK IF NOT EXISTS {{ this }} FROM {{ ref('totals') }} WITH (connector = 'blackhole')
