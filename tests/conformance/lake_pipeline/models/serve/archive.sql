{{ config(materialized='iceberg_table', columns=[{'name': 'id', 'type': 'int'}, {'name': 'note'}], keyed=true, every=10, persist_docs={'relation': true}) }}
