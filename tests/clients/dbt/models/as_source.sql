{{ config(materialized='source') }}
create source {{ this }} (id bigint, payload varchar)
with (connector = 'datagen', fields.id.kind = 'sequence', fields.id.start = '1', fields.id.end = '10', datagen.rows.per.second = '10')
format plain encode json
