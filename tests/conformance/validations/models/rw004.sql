{{ config(materialized='table', indexes=[{'columns': ['a'], 'unique': true}]) }}
select 1 as a
