{{ config(materialized='source') }}
CREATE SOURCE IF NOT EXISTS {{ this }} (id int)
WITH (connector = 'kafka')
FORMAT PLAIN ENCODE JSON;
