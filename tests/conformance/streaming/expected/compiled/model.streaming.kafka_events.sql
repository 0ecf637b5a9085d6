
CREATE SOURCE "dev"."public"."kafka_events" (id int, name varchar)
WITH (connector = 'kafka', topic = 'events', properties.bootstrap.server = 'broker:9092')
FORMAT PLAIN ENCODE JSON