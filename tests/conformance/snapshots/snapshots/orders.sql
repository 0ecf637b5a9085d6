{% snapshot orders_by_time %}
    {{ config(strategy='timestamp', unique_key='id', updated_at='changed_at', target_schema='history') }}
    select * from {{ ref('orders') }}
{% endsnapshot %}

{% snapshot orders_by_value %}
{{
    config(
      unique_key=['id', 'name'],
      strategy='check',
      check_cols=['name'],
      hard_deletes='new_record',
      dbt_valid_to_current="'9999-12-31'::timestamp",
      snapshot_meta_column_names={'dbt_valid_from': 'begins', 'dbt_valid_to': 'ends', 'dbt_is_deleted': 'gone'},
      post_hook="select 'kept ' || count(*) from {{ this }}",
      indexes=[{'columns': ['id']}]
    )
}}

select id, name from {{ ref('orders') }}

{% endsnapshot %}
