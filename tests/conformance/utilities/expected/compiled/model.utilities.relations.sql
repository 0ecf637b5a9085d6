-- public " __dbt__cte__x RisingWaveRelation
--  numeric(28,6) character varying(10)
select 1 as a