
create materialized view x as select 1