
select id, name, 1.5 as amount /* good_mv */ from "dev"."public"."good_view"