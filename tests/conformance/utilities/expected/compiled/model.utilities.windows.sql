

select 1 as a, -- b
    2 as b

, 3
 as c