{{ config(materialized='ephemeral') }}
select code, people, case when people > 10000000 then 'large' else 'small' end as size from {{ ref('as_view') }}
