

select 'table' as a, 'd' as b, 'None' as c,
  '['from_macro']' as d, 'other_name' as e