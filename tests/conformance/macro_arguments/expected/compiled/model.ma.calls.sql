select
sum(case when k = 'a' then 1 else 0 end) as is_a,
    sum(case when k = 'b' then 1 else 0 end) as is_b,
max(case when k = 'c' then 1 else 0 end)
-- x,own none | y,own 1
-- [(0-d-0)|(0-e-0)|(0-f-0)][(1-d-1)|(1-e-1)|(1-f-1)]
-- 129 153 023
-- r;  x;    y;  z;
-- 1 [2, 3] {'a': None} 2
-- calls/calls/view (1, 'it''s', null, ('n', 2.5)) {"k": [1]}
-- p23 c23 True
-- 423 True False
-- always inline
from (select * from "dev"."public"."base" union all select * from "public"."base" union all select * from "dev"."public"."calls") u