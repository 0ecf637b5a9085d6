{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='code') }}
select code, people from {{ ref('as_view') }}
{% if is_incremental() %}where code <> 'at'{% endif %}
