create source "dev"."public"."views" (user_id int, page varchar) with (connector = 'kafka',
    topic = 'views',
    properties.bootstrap.server = 'redpanda:9092',
    scan.startup.mode = 'earliest') format plain encode json;