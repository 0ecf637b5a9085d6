{{ config(materialized='sink', lint_ignore='force-append-only') }}
create sink {{ this }} into {{ ref('lake_clicks') }} (user_id, total) as select user_id, amount as total from {{ ref('joined') }} with (type = 'append-only', force_append_only = 'true', commit_checkpoint_interval = 1, sink_decouple = false)
