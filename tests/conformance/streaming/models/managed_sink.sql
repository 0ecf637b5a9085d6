{{ config(materialized='sink', connector='kafka', connector_parameters={'topic': 'out', 'properties.bootstrap.server': env_var('KAFKA'), 'primary_key': 'id', 'force': true, 'n': 3, 'password': {'secret': 'kafka_password'}}, data_format='upsert', data_encode='json', format_parameters={'force_append_only': 'true'}, zero_downtime={'enabled': true}) }}
{{ ref('totals') }}
