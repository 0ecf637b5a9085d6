

  

  

  

select 3 as total, 'gold' as names,
  '3' as c, '['a', 'b']' as firsts,
  '[3, 2, 1]' as l, 6 as s, 3 as m,
  '03.14|x|42|ff' as f, '      ab|7    |1,234,567' as g,
  '['a', 'b', '', 'c']' as sp, '*****hELLO wORLD*****' as ce, 'cba' as rv,
  '3 -4 -2 1024 3.5 1000.0 10.0 3' as ar,
  '[1, 2, 3] [0, 0, 0] abab (1, 2) {'a': None, 'b': True}' as li,
  'True True True True True x' as lo,
  'yes' as flag, '1-b-None 3' as va