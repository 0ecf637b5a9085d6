select * from {{ source('raw', 'all_of_it') }}
