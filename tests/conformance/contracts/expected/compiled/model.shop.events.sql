
create source "dev"."public"."events" (id integer) with (connector = 'datagen') format plain encode json