{{ config(materialized='source') }}
create source {{ this }} (id integer) with (connector = 'datagen') format plain encode json
