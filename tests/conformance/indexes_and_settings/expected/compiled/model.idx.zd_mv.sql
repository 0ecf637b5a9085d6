
select a from "dev"."public"."zd_view"