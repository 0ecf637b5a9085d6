{{ config(materialized='subscription', subscription_options={'retention_seconds': 60}, post_hook='drop view if exists old_feed cascade') }}
{{ ref('joined') }}
