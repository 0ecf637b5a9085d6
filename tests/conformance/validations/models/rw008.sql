{{ config(materialized='view', subscription_options={'a': 'b'}) }}
select 1 as a
