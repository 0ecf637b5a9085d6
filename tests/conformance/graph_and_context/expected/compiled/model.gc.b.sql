-- view ['gc', 'b'] b.sql models/b.sql model gc ['g']
-- a model.gc.a view []
-- b model.gc.b view ['model.gc.a']
-- c model.gc.c view ['model.gc.a']
-- {'k': 1} 0
-- dev public risingwave 1 shop 127.0.0.1 root dev
-- 36 True True 1.12.6 gc
-- none False compile compile
select * from "dev"."public"."a"