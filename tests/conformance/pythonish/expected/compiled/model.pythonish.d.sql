select '['29/02/24 03:00', '02/03/24 03:00', '04/03/24 03:00']' as days, '2024-02-29 3 5097600.0' as d,
  'example ('ann', 'example') ['1', '22'] ['a', 'b', 'c']' as re,
  '[1, 2, 3] [('a', 1), ('a', 2), ('b', 1), ('b', 2)]' as it,
  '2024-02-29T00:00:00+01:00' as tz,
  'True Thursday 060 08' as cmp

  
  , '['a', 'b', 'c', 'd', 'e']' as nodes, '['pythonish', 'd'] DEV d "public"."d"' as m


-- {{ not rendered }} {% if %}-- 2-- 4