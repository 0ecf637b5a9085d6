{{ config(materialized='secret', grants={'usage': ['reader']}) }}
CREATE SECRET {{ this }} WITH (backend = 'meta') AS 'x'
