{{ config(materialized='subscription', retention='3D', subscription_options={'x': 'y'}) }}
{{ ref('by_minute') }}
