{{ config(materialized='table', background_ddl=true, sql_header='set timezone = \'UTC\';') }}
select 1 as a
