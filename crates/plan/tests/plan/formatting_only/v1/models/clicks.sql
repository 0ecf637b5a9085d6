{{ config(materialized='source') }}
create source {{ this }} (url varchar) with (
    connector = 'kafka',
    topic = 'clicks',
    properties.bootstrap.server = 'broker:9092'
) format plain encode json
