

select * from "dev"."public"."general_ledger" where "amount" < 

    now() + ((interval '1 day') * (-3))


