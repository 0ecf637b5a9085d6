
select * from "dev"."public"."general_ledger" where month >= '2024-01-01' and 1 = 1