
CREATE SOURCE IF NOT EXISTS "dev"."public"."kafka_events_semicolon" (id int)
WITH (connector = 'kafka')
FORMAT PLAIN ENCODE JSON;