select
    cast(null as varchar) as a_0,  -- 1/3 odd  b
    cast(null as int) as b_1,  -- 2/3 even a c
    cast(null as numeric(10,2)) as c_2  -- 3/3 odd b 