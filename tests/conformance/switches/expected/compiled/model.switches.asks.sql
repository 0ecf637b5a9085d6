
select id, count(*) filter (where level = 1) as l_1, count(*) filter (where level = 2) as l_2,  'True' as missing,
    'True' as fresh, 'id, level' as cols
from "public"."base" group by id