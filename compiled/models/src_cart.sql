create source "dev"."public"."src_cart" (
    user_id int,
    item_id varchar,
    event_time timestamp
) with (
    connector = 'kafka',
    topic = 'cart_events',
    properties.bootstrap.server = '127.0.0.1:19092',
    scan.startup.mode = 'earliest'
) format plain encode json
