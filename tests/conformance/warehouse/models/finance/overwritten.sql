{{ config(incremental_strategy='insert_overwrite_month', unique_key='month') }}
select month, sum(amount) as amount from {{ ref('ledger') }} group by 1
