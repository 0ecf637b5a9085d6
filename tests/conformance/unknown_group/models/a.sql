{{ config(group='two') }} select 1 as id
