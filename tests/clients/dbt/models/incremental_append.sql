{{ config(materialized='incremental', incremental_strategy='append') }}
select code, people from {{ ref('as_view') }}
{% if is_incremental() %}where code <> 'at'{% endif %}
