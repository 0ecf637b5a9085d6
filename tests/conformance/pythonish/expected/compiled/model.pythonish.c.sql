select
'x:2+5' as x,
'y:1' as y,

'['x']' as sel,
'1' as rej,
'[1, 2, 5]' as srt,
'[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, '-', '-']]' as bat, '[[0, 1, 2], [3, 4], [5, 6]]' as sli,
'[{"g": "x", "v": 2}, {"g": "y", "v": 1}, {"g": "x", "v": 5}]' as tj, '[('g', 'x'), ('v', 2)]' as ds, '[('g', 'x'), ('v', 2)]' as it,
'[1, 2.5, None, True]' as fj, 'a:;- 1;- 2' as ty,
'{'a': 1, 'b': ['x', 'y']}' as fy, '[(1, 'a'), (2, 'b')]' as zp, '[1, 3]' as st,
'its' as q, '5d41402abc4b2a76b9719d911017c592' as md,
'<p a=1 b=[1]></p>' as w1, '<q>in 2</q>' as w2,
144 as fib,
'map str bool int float seq none' as types,
'a1NoneTrue1.0' as til, 'dflt' as d1, 'e' as d2,
'Title Case Here X 3 abcdef t' as fl,
'2 a 3 1 3.14 2.0 3' as nu,
'a%09b &lt;b&gt; x+y_z ['a', 'b', 'c'] k=v' as es