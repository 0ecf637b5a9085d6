
select id /* grown */ from "dev"."public"."good_view"