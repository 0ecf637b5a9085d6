
select * from "dev"."landing"."customers"
where country = 'de'
  and region = 'none'