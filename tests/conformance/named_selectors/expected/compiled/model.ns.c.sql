
select * from "dev"."public"."b" join "dev"."public"."d" using (a)