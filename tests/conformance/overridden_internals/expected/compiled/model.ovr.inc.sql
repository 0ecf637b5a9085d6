
select a from "own_schema"."t"