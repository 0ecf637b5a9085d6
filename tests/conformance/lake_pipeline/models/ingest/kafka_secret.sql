{{ config(materialized='secret') }}
create secret {{ this }} with (backend = 'meta') as '{{ env_var("KAFKA_PASSWORD", "secret") }}'
