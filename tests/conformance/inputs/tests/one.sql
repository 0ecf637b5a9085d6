select * from {{ ref('everything') }} where id in (select id from {{ ref('base') }})
