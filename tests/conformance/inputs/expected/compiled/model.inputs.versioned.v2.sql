
select * from "dev"."public"."versioned_v1"