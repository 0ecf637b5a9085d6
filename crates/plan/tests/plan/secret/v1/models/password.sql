{{ config(materialized='secret') }}
create secret {{ this }} with (backend = 'meta') as '{{ env_var('RWT_SECRET_BROKER') }}'
