select 'True' as a, 'True' as b,
id "id" integer integer False True id,
name "name" character varying character varying True False name,
"x" n TEXT TEXT timestamp integer bigint float boolean numeric(28,6) 'x' 
    
    cast(a as int)
 a || b