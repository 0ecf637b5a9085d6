select '' as a, 'True' as b, 'False' as c, not null as d,
 'compile' as e, 'False' as f, 'risingwave' as g, '"a b"' as h,
 '"dev"."public"."m_calls"' as i, '5d41402abc4b2a76b9719d911017c592' as j, 'True' as k, '1.12.6' as l,
 'n' as m, '{"b": [1, 2.5, null, true], "a": "\u00e9"}' as n, '[1, {'a': None}]' as o,
 'a:
- 1
- x
' as p, '{'a': [1, True]}' as q, '[(1, 'a'), (2, 'b')]' as r,
 '[1]' as s, 'a#b#' as t, '2024-02-29' as u,
 '2024-01-31 12' as v,
 '[(1, 'a'), (2, 'a')]' as w, '[[1, 2]]' as x