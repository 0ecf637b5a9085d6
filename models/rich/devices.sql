{# Devices that sessions come from. Empty until `rwt produce --direct` fills it. #}
{{ config(materialized='table') }}

select
    ''::varchar as device_id,
    ''::varchar as device_type,
    ''::varchar as os,
    ''::varchar as browser,
    ''::varchar as user_agent,
    ''::varchar as ingested_at
where false
