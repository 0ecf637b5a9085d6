{{ config(materialized='iceberg_table', options={'z': 1, 'commit_checkpoint_interval': 10, 'a': true}) }}
select 1 as a
