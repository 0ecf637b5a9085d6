{{ config(materialized='webhook', columns=[('a', 'int'), ('b', 'varchar')]) }}
