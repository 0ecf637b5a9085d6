-- realtime_funnel: builds the project from an empty database. Target: embedded.
-- Written by `rwt compile`; changes here are lost. Run it with: psql -f all_models.sql
\set ON_ERROR_STOP on

-- Hooks: on-run-start
create connection if not exists lake with (
    type = 'iceberg',
    warehouse.path = 'rwt',
    hosted_catalog = true
);

-- Model: campaigns (table) [models/rich/campaigns.sql]
create table if not exists "dev"."public"."campaigns" as
select
    ''::varchar as campaign_id,
    ''::varchar as source,
    ''::varchar as medium,
    ''::varchar as campaign,
    ''::varchar as content,
    ''::varchar as term,
    ''::varchar as ingested_at
where false;

-- Model: clickstream_events (table) [models/rich/clickstream_events.sql]
create table if not exists "dev"."public"."clickstream_events" as
select
    ''::varchar as event_id,
    0::bigint as user_id,
    ''::varchar as session_id,
    ''::varchar as event_type,
    ''::varchar as page_url,
    ''::varchar as element_id,
    ''::varchar as event_time,
    ''::varchar as referrer,
    ''::varchar as campaign_id,
    0.0::double precision as revenue_usd,
    ''::varchar as ingested_at
where false;

-- Model: devices (table) [models/rich/devices.sql]
create table if not exists "dev"."public"."devices" as
select
    ''::varchar as device_id,
    ''::varchar as device_type,
    ''::varchar as os,
    ''::varchar as browser,
    ''::varchar as user_agent,
    ''::varchar as ingested_at
where false;

-- Model: iceberg_campaigns (iceberg_table) [models/iceberg_campaigns.sql]
set iceberg_engine_connection = 'public.lake';
create table if not exists "dev"."public"."iceberg_campaigns" (
    campaign_id varchar,
    source varchar,
    medium varchar,
    campaign varchar,
    content varchar,
    term varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: iceberg_cart_events (iceberg_table) [models/iceberg_cart_events.sql]
create table if not exists "dev"."public"."iceberg_cart_events" (
    user_id int,
    item_id varchar,
    event_time timestamp
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: iceberg_clickstream_events (iceberg_table) [models/iceberg_clickstream_events.sql]
create table if not exists "dev"."public"."iceberg_clickstream_events" (
    event_id varchar,
    user_id bigint,
    session_id varchar,
    event_type varchar,
    page_url varchar,
    element_id varchar,
    event_time varchar,
    referrer varchar,
    campaign_id varchar,
    revenue_usd double precision,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: iceberg_devices (iceberg_table) [models/iceberg_devices.sql]
create table if not exists "dev"."public"."iceberg_devices" (
    device_id varchar,
    device_type varchar,
    os varchar,
    browser varchar,
    user_agent varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: iceberg_page_catalog (iceberg_table) [models/iceberg_page_catalog.sql]
create table if not exists "dev"."public"."iceberg_page_catalog" (
    page_url varchar,
    page_category varchar,
    product_id varchar,
    product_category varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: iceberg_page_views (iceberg_table) [models/iceberg_page_views.sql]
create table if not exists "dev"."public"."iceberg_page_views" (
    user_id int,
    page_id varchar,
    event_time timestamp
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: iceberg_purchases (iceberg_table) [models/iceberg_purchases.sql]
create table if not exists "dev"."public"."iceberg_purchases" (
    user_id int,
    amount double precision,
    event_time timestamp
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: iceberg_sessions (iceberg_table) [models/iceberg_sessions.sql]
create table if not exists "dev"."public"."iceberg_sessions" (
    session_id varchar,
    user_id bigint,
    device_id varchar,
    session_start varchar,
    ip_address varchar,
    geo_city varchar,
    geo_region varchar,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: iceberg_users (iceberg_table) [models/iceberg_users.sql]
create table if not exists "dev"."public"."iceberg_users" (
    user_id bigint,
    full_name varchar,
    email varchar,
    country varchar,
    signup_time varchar,
    marketing_opt_in boolean,
    ingested_at varchar
) with (commit_checkpoint_interval = 2) engine = iceberg;

-- Model: page_catalog (table) [models/rich/page_catalog.sql]
create table if not exists "dev"."public"."page_catalog" as
select
    ''::varchar as page_url,
    ''::varchar as page_category,
    ''::varchar as product_id,
    ''::varchar as product_category,
    ''::varchar as ingested_at
where false;

-- Model: sessions (table) [models/rich/sessions.sql]
create table if not exists "dev"."public"."sessions" as
select
    ''::varchar as session_id,
    0::bigint as user_id,
    ''::varchar as device_id,
    ''::varchar as session_start,
    ''::varchar as ip_address,
    ''::varchar as geo_city,
    ''::varchar as geo_region,
    ''::varchar as ingested_at
where false;

-- Model: src_cart (source) [models/src_cart.sql]
create source "dev"."public"."src_cart" (
    user_id int,
    item_id varchar,
    event_time timestamp
) with (
    connector = 'kafka',
    topic = 'cart_events',
    properties.bootstrap.server = '127.0.0.1:19092',
    scan.startup.mode = 'earliest'
) format plain encode json;

-- Model: src_page (source) [models/src_page.sql]
create source "dev"."public"."src_page" (
    user_id int,
    page_id varchar,
    event_time timestamp
) with (
    connector = 'kafka',
    topic = 'page_views',
    properties.bootstrap.server = '127.0.0.1:19092',
    scan.startup.mode = 'earliest'
) format plain encode json;

-- Model: src_purchase (source) [models/src_purchase.sql]
create source "dev"."public"."src_purchase" (
    user_id int,
    amount double precision,
    event_time timestamp
) with (
    connector = 'kafka',
    topic = 'purchases',
    properties.bootstrap.server = '127.0.0.1:19092',
    scan.startup.mode = 'earliest'
) format plain encode json;

-- Model: users (table) [models/rich/users.sql]
create table if not exists "dev"."public"."users" as
select
    0::bigint as user_id,
    ''::varchar as full_name,
    ''::varchar as email,
    ''::varchar as country,
    ''::varchar as signup_time,
    false::boolean as marketing_opt_in,
    ''::varchar as ingested_at
where false;

-- Model: sink_campaigns_to_iceberg (sink) [models/sink_campaigns_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_campaigns_sink" into "dev"."public"."iceberg_campaigns"
from "dev"."public"."campaigns"
with (
    type = 'append-only',
    force_append_only = 'true'
);

-- Model: sink_clickstream_to_iceberg (sink) [models/sink_clickstream_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_clickstream_events_sink" into "dev"."public"."iceberg_clickstream_events"
from "dev"."public"."clickstream_events"
with (
    type = 'append-only',
    force_append_only = 'true'
);

-- Model: sink_devices_to_iceberg (sink) [models/sink_devices_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_devices_sink" into "dev"."public"."iceberg_devices"
from "dev"."public"."devices"
with (
    type = 'append-only',
    force_append_only = 'true'
);

-- Model: sink_page_catalog_to_iceberg (sink) [models/sink_page_catalog_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_page_catalog_sink" into "dev"."public"."iceberg_page_catalog"
from "dev"."public"."page_catalog"
with (
    type = 'append-only',
    force_append_only = 'true'
);

-- Model: sink_sessions_to_iceberg (sink) [models/sink_sessions_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_sessions_sink" into "dev"."public"."iceberg_sessions"
from "dev"."public"."sessions"
with (
    type = 'append-only',
    force_append_only = 'true'
);

-- Model: sink_cart_events_to_iceberg (sink) [models/sink_cart_events_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_cart_events_sink" into "dev"."public"."iceberg_cart_events"
from "dev"."public"."src_cart"
with (
    type = 'append-only'
);

-- Model: sink_page_views_to_iceberg (sink) [models/sink_page_views_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_page_views_sink" into "dev"."public"."iceberg_page_views"
from "dev"."public"."src_page"
with (
    type = 'append-only'
);

-- Model: funnel (materialized_view) [models/funnel.sql]
create materialized view if not exists "dev"."public"."funnel" as
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
from stages;

-- Model: sink_purchases_to_iceberg (sink) [models/sink_purchases_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_purchases_sink" into "dev"."public"."iceberg_purchases"
from "dev"."public"."src_purchase"
with (
    type = 'append-only'
);

-- Model: sink_users_to_iceberg (sink) [models/sink_users_to_iceberg.sql]
create sink if not exists "dev"."public"."iceberg_users_sink" into "dev"."public"."iceberg_users"
from "dev"."public"."users"
with (
    type = 'append-only',
    force_append_only = 'true'
);
