{{ config(post_hook=["analyze_it('{{ this }}')", {"sql": "select 2", "transaction": false}], sql_header="set query_mode = 'local';") }}
-- depends_on: {{ ref('kafka_secret') }}
create source {{ this }} (
    user_id int, url varchar, at timestamptz,
    watermark for at as at - interval '5 seconds'
) include key as k include timestamp as kafka_at
with (
    {{ kafka('clicks') }},
    properties.sasl.password = secret {{ ref('kafka_secret').include(database=false) }}
) format plain encode json
