{{ config(meta={'pii': true}, indexes=[{'columns': ['id', 'level']}], materialized='materialized_view') }}
{% set columns = adapter.get_columns_in_relation(source('raw', 'people')) %}
{% for level in var('levels') %}
select {% for c in columns %}{{ c.name | lower }}{% if c.is_string() %}::varchar{% endif %}, {% else %}1 as id, {% endfor %}{{ level }} as level from {{ source('raw', 'people') }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
