
select count(*) as n from "dev"."public"."general_ledger" l left join "dev"."public"."customers_ver2" c using (customer_id) where c.customer_id is null