
select * from "own_schema"."t"