select * from {{ ref('ok') }}
