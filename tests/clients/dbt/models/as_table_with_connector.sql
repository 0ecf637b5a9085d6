{{ config(materialized='table_with_connector') }}
create table {{ this }} (id bigint primary key, payload varchar)
with (connector = 'datagen', fields.id.kind = 'sequence', fields.id.start = '1', fields.id.end = '10', datagen.rows.per.second = '10')
format plain encode json
