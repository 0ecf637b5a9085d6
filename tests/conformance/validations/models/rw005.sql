{{ config(materialized='table', indexes=[{'columns': ['a'], 'type': 'hash'}]) }}
select 1 as a
