create source "dev"."public"."src_page" (
    user_id int,
    page_id varchar,
    event_time timestamp
) with (
    connector = 'kafka',
    topic = 'page_views',
    properties.bootstrap.server = '127.0.0.1:19092',
    scan.startup.mode = 'earliest'
) format plain encode json
