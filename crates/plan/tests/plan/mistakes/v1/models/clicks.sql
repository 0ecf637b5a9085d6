{{ config(materialized='source') }}
create source {{ this }} (
    user_id int,
    ts timestamp,
    amount double precision
) with (
    connector = 'kafka',
    topic = 'orders',
    properties.bootstrap.server = 'broker:9092',
    scan.startup.mode = 'latest'
) format plain encode json
