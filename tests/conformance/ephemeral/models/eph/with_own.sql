with x as (select * from {{ ref('second') }}), y as (select 2)
select * from x
