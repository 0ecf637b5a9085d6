with views as (
    select distinct window_start, window_end, user_id
    from tumble("dev"."public"."src_page", event_time, interval '1 minute')
),

carts as (
    select distinct window_start, user_id
    from tumble("dev"."public"."src_cart", event_time, interval '1 minute')
),

buys as (
    select distinct window_start, user_id
    from tumble("dev"."public"."src_purchase", event_time, interval '1 minute')
),

stages as (
    select
        views.window_start,
        views.window_end,
        count(views.user_id) as viewers,
        count(carts.user_id) as carters,
        count(buys.user_id) as purchasers
    from views
    left join carts
        on carts.user_id = views.user_id and carts.window_start = views.window_start
    left join buys
        on buys.user_id = views.user_id and buys.window_start = views.window_start
    group by views.window_start, views.window_end
)

select
    window_start,
    window_end,
    viewers,
    carters,
    purchasers,
    case when viewers > 0 then round(carters::numeric / viewers, 2) else 0 end as view_to_cart_rate,
    case when carters > 0 then round(purchasers::numeric / carters, 2) else 0 end as cart_to_buy_rate
from stages
