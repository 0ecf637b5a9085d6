{{ config(materialized='source') }}
create source {{ this }} (url varchar) with (
    topic = 'clicks',
    connector = 'kafka', -- the broker of the company
    properties.bootstrap.server = 'broker:9092'
) format plain encode json
