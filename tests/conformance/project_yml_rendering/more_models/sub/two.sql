{{ config(grants={'+select': ['b'], 'insert': ['c']}, meta={'own': true}) }}
select 1 as a
