{{ config(materialized='materialized_view', indexes=[{'columns': ['total']}], on_configuration_change='fail') }}
select user_id, sum(amount) as total from {{ ref('events') }} group by user_id
