{{ config(materialized='materialized_view', lint_ignore=['startup-latest']) }}
select *, amount * 2 as twice from {{ ref('clicks') }}
