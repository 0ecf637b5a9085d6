select
    min(a), bool_or(b), 
    cast(a as int)
, 
    
    cast(a as TEXT)
,
    
  
    cast(b as TEXT)

, a || '-' || b, md5(cast(a || b as TEXT)),
    to_date('2026-02-28', 'YYYY-MM-DD'), date_trunc('month', at), 

    at + ((interval '1 day') * (-1))

,
    cast(
        

    

    date_trunc('month', at) + ((interval '1 month') * (1))

 + ((interval '1 day') * (-1))


        as date), -- postgres dateadd does not support quarter interval.
    cast(
        

    

    date_trunc('quarter', at) + ((interval '1 month') * (3))

 + ((interval '1 day') * (-1))


        as date),
    

    length(
        a
    ), 

    position(
        'x' in a
    ), 

    replace(
        a,
        'x',
        'y'
    )


, 

    right(
        a,
        3
    ),
    

  
    

    split_part(
        a,
        '-',
        2
        )


  

, 

  
    

    split_part(
        a,
        '-',
          length(a)
          - length(
              replace(a,  '-', '')
          ) + 2 + -1
        )


  

,
    
    string_agg(
        a,
        ','
        order by b
        ), array_to_string(
        (array_agg(
            a
            order by b
        ))[1:3],
        ', '
        ), 
    string_agg(
        a,
        ','
        
        ),
    
    array[ a , b ]
    , 
    array[]::integer[]
    , array_append(x, a), array_cat(x, y),
    'it''s', (a = b),
    now(), 
    current_timestamp::timestamp
, 
    (current_timestamp at time zone 'utc')::timestamp
,
    now()::timestamp without time zone, own, min(c)
from a 

    except

 select * from b 

    intersect

 select * from c