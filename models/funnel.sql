{#
  The conversion funnel: per minute, who viewed a page, who of them put something into a cart, who of them bought.

  A cart or a purchase counts in the window of the same user's page view when
  event_time >= window_start and event_time < window_end. Windows do not overlap, so that is the case exactly when both
  events fall into the same window: an equality, which RisingWave joins without an interval join.
#}
{{ config(materialized='materialized_view') }}

{%- set minute = "interval '1 minute'" %}

with views as (
    select distinct window_start, window_end, user_id
    from tumble({{ ref('src_page') }}, event_time, {{ minute }})
),

carts as (
    select distinct window_start, user_id
    from tumble({{ ref('src_cart') }}, event_time, {{ minute }})
),

buys as (
    select distinct window_start, user_id
    from tumble({{ ref('src_purchase') }}, event_time, {{ minute }})
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
    {{ rate('carters', 'viewers') }} as view_to_cart_rate,
    {{ rate('purchasers', 'carters') }} as cart_to_buy_rate
from stages
