010TrueFalse332 121FalseFalse321 232FalseTrue310 
empty 10 7 4 1  1-2 3-4  1:2 2:4 
02 True False True  a1 b02 a1 
1(2,3)4() 1131 2141 1231 2241 
1 3 [1, 2] 12 BLOCK 1 FILTERED s 5 UP 1 1 ok yes False||