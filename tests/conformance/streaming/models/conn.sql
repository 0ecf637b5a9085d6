{{ config(materialized='connection') }}
CREATE CONNECTION {{ this.identifier }} WITH (type = 'iceberg')
