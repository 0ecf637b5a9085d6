{{ config(materialized='incremental', incremental_strategy='append') }}
select id, at from events
{% if is_incremental() %}
where at > (select max(at) from {{ this }})
{% endif %}
