{{ config(materialized='source') }}
CREATE SOURCE {{ this }} (id int, name varchar)
WITH (connector = 'kafka', topic = 'events', properties.bootstrap.server = '{{ env_var("KAFKA") }}')
FORMAT PLAIN ENCODE JSON
