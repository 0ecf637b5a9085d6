{{ config(
    materialized='materialized_view',
    indexes=[{'columns': ['size']}],
    pre_hook="insert into runs values (now())",
    post_hook="flush",
) }}
select size, count(*) as countries, sum(people) as people from {{ ref('as_ephemeral') }} group by size
