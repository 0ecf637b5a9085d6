select 1 as id, '2024-01-01'::timestamp as at
