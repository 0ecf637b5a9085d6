select * from {{ source('nested', 'n') }}
