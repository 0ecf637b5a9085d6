{{ config(tags=['deep'], meta={'cell': 'a'}) }}
select * from {{ source('raw', 'customers') }}
where country = '{{ env_var("COUNTRY") }}'
  and region = '{{ env_var("NOT_SET", "none") }}{{ env_var("EMPTY", "unused") }}'
