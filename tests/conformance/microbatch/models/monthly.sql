{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', batch_size='month',
    begin='2023-11-15T10:00:00', lookback=2, incremental_predicates=["id > 0"]) }}
select * from {{ ref('mid') }}
