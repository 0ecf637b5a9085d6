{{ config(materialized='source') }}
-- depends_on: {{ ref('password') }}
create source {{ this }} (id int) with (connector = 'kafka', topic = 't', properties.bootstrap.server = 'b:9092', properties.sasl.password = secret password) format plain encode json
