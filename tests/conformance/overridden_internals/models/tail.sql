{{ config(materialized='tail', indexes=[{'columns': ['a']}], post_hook='select 1', persist_docs={'relation': true}) }}
select * from {{ ref('t') }}
