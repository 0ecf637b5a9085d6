{{ config(materialized='materializedview', indexes=[{'columns': ['a'], 'unique': true, 'type': 'btree'}]) }}
select 1 as a
