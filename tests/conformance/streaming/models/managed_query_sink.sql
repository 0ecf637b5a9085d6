{{ config(materialized='sink', connector='iceberg', connector_parameters={'type': 'append-only', 'quote': "it's"}, data_format='plain', data_encode='json') }}
select id from {{ ref('totals') }}
