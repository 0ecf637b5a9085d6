{# Completed purchases. #}
{{ config(materialized='source') }}

create source {{ this }} (
    user_id int,
    amount double precision,
    event_time timestamp
) with (
    {{ kafka_options('purchases') }}
) format plain encode json
