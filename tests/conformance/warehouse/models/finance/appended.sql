{{ config(incremental_strategy='append', on_schema_change='ignore', full_refresh=false) }}
select * from {{ ref('ledger') }} where month >= '{{ var("cutoff") }}' {{ "and 1 = 1" if not is_incremental() }}
