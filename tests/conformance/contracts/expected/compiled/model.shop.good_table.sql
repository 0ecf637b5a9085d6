
select name, id /* good_table */ from "dev"."public"."good_view"