
select id, name as amount, 'x' as label, 1 as "Odd" /* wrong_types */ from "dev"."public"."good_view"