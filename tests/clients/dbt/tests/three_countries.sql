select count(*) as n from {{ ref('as_table') }} having count(*) <> 2
