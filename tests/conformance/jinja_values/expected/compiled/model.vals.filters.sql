A b x y y None y 1 3 [1, 2, 3] ['a', 'b', 'c'] [1, 2, 3] ['A', 'b', 'c'] ['A', 'b', 'c'] [3, 1] [1, 2] ['a'] [[1, 2], [3, 4], [5]] [[1, 2], [3, 'x']] [[1, 2, 3], [4, 5]]
[1, 2, 3] [1, 0] ['A', 'B'] [2, 4] [1, 3] [1] [{'n': 2}] [{'n': 2}] a:2 b:1 a[{'k': 'a', 'n': 1}]
a;b x 3 abcdef hello big world hello a%20b &lt;b&gt; x a
  b   a
  b a
    
    b   x  | 12 1-None-a 1 cba [2, 1] {"a": 2, "b": 1} [1, "a\u0027b", null, true] [('a', 1)] x One Two a-b 5 'Hello' a
b x 3 3 3