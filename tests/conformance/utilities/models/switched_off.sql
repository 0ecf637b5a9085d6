{{ config(enabled=var('is_on', false)) }}
select * from {{ ref('was_never_written') }}, {{ source('nor', 'this') }}
