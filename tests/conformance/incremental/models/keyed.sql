{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert', incremental_predicates=["id > 10"]) }}
select id, name from {{ ref('plain') }}
{% if is_incremental() %}where id > 5{% endif %}
