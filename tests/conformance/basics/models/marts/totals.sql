{{
  config(
    alias='order_totals'
  )
}}

{# a comment
   of two lines #}
select
    country,
    sum(amount) as total,
    {{ var('from_cli') }} as seven,
    {{ var('limits').low }} as low,
    {{ var('limits')['high'] }} as high,
    '{{ var("absent", "default") }}' as absent,
    '{{ var("nothing") }}' as nothing,
    '{{ var("own") }}' as own
from {{ ref('orders') }} o
join {{ ref('shop', 'customers') }} c using (id)
{%- if execute %}
-- executing
{%- endif %}
where '{{ target.name }}' = 'dev'
  and '{{ target.schema }}' = 'public' and '{{ target.database }}' = '{{ target.dbname }}'
  and '{{ target.type }}{{ target["name"] }}' <> '{{ project_name }}'
