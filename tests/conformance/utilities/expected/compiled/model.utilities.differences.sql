select 
        (date_part('year', (b)::date) - date_part('year', (a)::date))
     as year union all
select 
        (
        (date_part('year', (b)::date) - date_part('year', (a)::date))
     * 4 + date_part('quarter', (b)::date) - date_part('quarter', (a)::date))
     as quarter union all
select 
        (
        (date_part('year', (b)::date) - date_part('year', (a)::date))
     * 12 + date_part('month', (b)::date) - date_part('month', (a)::date))
     as month union all
select 
        (
        ((b)::date - (a)::date)
     / 7 + case
            when date_part('dow', (a)::timestamp) <= date_part('dow', (b)::timestamp) then
                case when a <= b then 0 else -1 end
            else
                case when a <= b then 1 else 0 end
        end)
     as week union all
select 
        ((b)::date - (a)::date)
     as day union all
select 
        (
        ((b)::date - (a)::date)
     * 24 + date_part('hour', (b)::timestamp) - date_part('hour', (a)::timestamp))
     as hour union all
select 
        (
        (
        ((b)::date - (a)::date)
     * 24 + date_part('hour', (b)::timestamp) - date_part('hour', (a)::timestamp))
     * 60 + date_part('minute', (b)::timestamp) - date_part('minute', (a)::timestamp))
     as minute union all
select 
        (
        (
        (
        ((b)::date - (a)::date)
     * 24 + date_part('hour', (b)::timestamp) - date_part('hour', (a)::timestamp))
     * 60 + date_part('minute', (b)::timestamp) - date_part('minute', (a)::timestamp))
     * 60 + floor(date_part('second', (b)::timestamp)) - floor(date_part('second', (a)::timestamp)))
     as second union all
select 
        (
        (
        (
        ((b)::date - (a)::date)
     * 24 + date_part('hour', (b)::timestamp) - date_part('hour', (a)::timestamp))
     * 60 + date_part('minute', (b)::timestamp) - date_part('minute', (a)::timestamp))
     * 60000 + floor(date_part('millisecond', (b)::timestamp)) - floor(date_part('millisecond', (a)::timestamp)))
     as millisecond union all
select 
        (
        (
        (
        ((b)::date - (a)::date)
     * 24 + date_part('hour', (b)::timestamp) - date_part('hour', (a)::timestamp))
     * 60 + date_part('minute', (b)::timestamp) - date_part('minute', (a)::timestamp))
     * 60000000 + floor(date_part('microsecond', (b)::timestamp)) - floor(date_part('microsecond', (a)::timestamp)))
     as microsecond
