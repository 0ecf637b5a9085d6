{{ config(materialized='subscription', retention='2 days', subscription_options={'k': 'v'}) }}
{{ ref('totals') }}
