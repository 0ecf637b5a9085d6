{{ config(tags=['x', 'y'], meta={'k': 1}) }}
select 1 as a
