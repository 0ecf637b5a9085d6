
with meet_condition as(
  select * from "dev"."public_marts"."orders"
),
validation_errors as (
  select * from meet_condition
  where
    1 = 2
    or not amount > 0
)
select * from validation_errors
