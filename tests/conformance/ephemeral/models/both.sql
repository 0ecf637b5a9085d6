select * from {{ ref('base') }} union all select * from {{ ref('second') }} union all select * from {{ ref('base') }}
