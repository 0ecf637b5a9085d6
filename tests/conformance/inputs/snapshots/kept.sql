{% snapshot kept %}
{{ config(strategy='check', unique_key='id', check_cols=['ts'], target_schema='history') }}
select * from {{ ref('base') }}
{% endsnapshot %}
