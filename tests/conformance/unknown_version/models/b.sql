select * from {{ ref('m', v=7) }}
