select * from {{ ref('dim') }}
union all select * from {{ ref('dim', v=1) }}
union all select * from {{ ref('dim', version=3) }}
union all select * from {{ ref('shop', 'dim', v='2') }}
union all select * from {{ ref('fact') }}
union all select * from {{ ref('fact', v=0) }}
