{{ config(materialized='materialized_view', zero_downtime={'enabled': true, 'immediate_cleanup': true}, indexes=[{'columns': ['a']}], background_ddl=true, grants={'select': ['reader']}) }}
select a from {{ ref('zd_view') }}
