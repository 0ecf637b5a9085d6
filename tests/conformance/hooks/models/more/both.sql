{{ config(materialized='table', pre_hook="set c = '{{ target.schema }}'", post_hook=["select 1", {"sql": "select 2", "transaction": False}, "", "  "]) }}
select 2 as a
