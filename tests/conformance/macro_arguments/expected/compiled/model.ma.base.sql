
select 'a' as k