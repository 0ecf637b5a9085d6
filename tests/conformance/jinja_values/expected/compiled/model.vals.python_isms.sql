
select a, b from python_isms a  a=3, b= 2.50|q    |ff
{'a': 'A', 'b': 'B'} 2 ('a', 'A')
{'l': [{'x': [1, 2]}]}
2 True True
[0, 1, 2] [2, 5] True True True True True True True True
x empty empty empty zero None b True True
3 3.0 3.5 64 4 1000.0 1e-07 1000000.0 0.3333333333333333 1e+16 123456789.123
a', 'b 'a', 'b' AB ['b', 'a'] b ['a'] bc
[
  multi
  line] [multi
  line] 15 ['multi', 'line'] False False False