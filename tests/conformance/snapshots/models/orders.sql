select 1 as id, 'a' as name, now() as changed_at
