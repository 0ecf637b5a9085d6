



with days as (
  select cast('2024-01-01' as date) as date_day union all
  select cast('2024-01-02' as date) as date_day union all
  select cast('2024-01-03' as date) as date_day union all
  select cast('2024-01-04' as date) as date_day 
)
select * from days
