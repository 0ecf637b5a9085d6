{{ config(materialized='table', zero_downtime={'enabled': true}) }}
select 1 as a
