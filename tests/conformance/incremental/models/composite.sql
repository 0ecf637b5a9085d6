{{ config(materialized='incremental', unique_key=['a', 'b'], incremental_strategy='delete+insert', indexes=[{'columns': ['a']}]) }}
select a, b, v from {{ ref('plain') }}
