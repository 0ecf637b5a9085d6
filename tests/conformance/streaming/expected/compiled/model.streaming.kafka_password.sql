
CREATE SECRET "dev"."public"."kafka_password" WITH (backend = 'meta') AS 'x'