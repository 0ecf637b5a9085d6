{{ config(materialized='materialized_view', background_ddl=true) }}
select id, name, 1.5 as amount /* good_mv */ from {{ ref('good_view') }}
