{{ config(
    materialized='sink', connector='kafka',
    connector_parameters={'properties.bootstrap.server': var('brokers'), 'topic': 'by_minute', 'properties.sasl.password': {'secret': 'kafka_secret'}, 'max.retries': 3},
    data_format='upsert', data_encode='json', format_parameters={'key.encode': 'json'},
    zero_downtime={'enabled': true}
) }}
{{ ref('by_minute') }}
