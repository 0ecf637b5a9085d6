
create secret "dev"."public"."kafka_secret" with (backend = 'meta') as 'secret'