hello world HELLO Hello World Hello x| a a a ['a', 'b', '', 'c'] ['a', 'b'] ['a', 'b.c'] ['a.b', 'c'] a,b
True True 2 -1 5 2 axc bba 2 007   a  | a  | --a True True True True ('a', ' ', 'b') ['a', 'b'] Ab bc ab True
None [3, 1, 2, 4] [1, 2, 3, 4] [4, 3, 2, 1] 1 1 [9, 4, 3, 2] [9, 4, 3, 2, 7, 8] [4, 3, 2, 7, 8] 1 [4, 3, 2, 7, 8] []
1 None no [('b', 1), ('a', 2)] ['b', 'a'] [1, 2] {'b': 1, 'a': 2, 'c': 3} {'b': 1, 'a': 2, 'c': 3, 'e': 5} 1 [] {'a': 2, 'c': 3, 'e': 5, 'q': [1]} True 4 2 2 a=2;c=3;e=5;q=[1]; a,c,e,q, [('a', 2), ('c', 3), ('e', 5), ('q', [1])] {'x': 1, 'y': 'z'} {'p': 1}