
select month, sum(amount) as amount from "dev"."public"."general_ledger" group by 1