{{ config(materialized='source') }}
create source {{ this }} (
    user_id int,
    amount double precision
) with (
    connector = 'kafka',
    topic = 'orders',
    properties.bootstrap.server = 'broker:9092',
    scan.startup.mode = 'earliest'
) format plain encode json
