
CREATE TABLE "dev"."public"."cdc" (id int primary key) WITH (connector = 'postgres-cdc')