{{ config(materialized='materialized_view', persist_docs={'relation': true, 'columns': true}) }}
select 1 as a
