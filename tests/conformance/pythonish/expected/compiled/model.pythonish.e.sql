
SELECT 2 AS TWO
, 'long' as l
, 3 as w
, 'nowhere' as e, 'dev' as db, '"dev"."public"."a"' as br
, 'x', 'y' as j
, 
        (('2024-01-02')::date - ('2024-01-01')::date)
     as dd, 
    
    cast(x as TEXT)
 as sc
, none as dl 