True False None True None [True, None, 'a', "it's", 1.0] {'a': None, 'b': [1, {'c': 'd'}]} (1,) (1, 'b') () [] {}
a1NoneTrue1.0[1] abab [1, 1] [1, 2] b c bcd cba [1, 2]
a|b 8 1 a'b ['a\nb', 'tab\t', 'q"q', 'both\'"'] X False True True True True True True True True True True True True True True True