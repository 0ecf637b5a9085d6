{{ config(materialized='materialized_view', background_ddl=true, backfill_rate_limit=100, streaming_parallelism_for_index='adaptive', enable_index_selection=false, streaming_cache_refill_policy="it's", indexes=[{'columns': ['a']}]) }}
select 1 as a
