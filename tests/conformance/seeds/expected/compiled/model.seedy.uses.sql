
select c.name, k.n from "dev"."public_raw"."countries" c join "dev"."public_raw"."codes" k on true