create source "dev"."public"."src_purchase" (
    user_id int,
    amount double precision,
    event_time timestamp
) with (
    connector = 'kafka',
    topic = 'purchases',
    properties.bootstrap.server = '127.0.0.1:19092',
    scan.startup.mode = 'earliest'
) format plain encode json
