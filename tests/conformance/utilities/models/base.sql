select 1 as id, 'x' as label, 1.5 as price
