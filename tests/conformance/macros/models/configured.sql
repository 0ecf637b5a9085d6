{{ config_in_macro('table') }}
{% if target.name in ('dev', 'ci') %}{{ config(alias='other_name') }}{% else %}{{ config(materialized='sink') }}{% endif %}
select '{{ config.get("materialized") }}' as a, '{{ config.get("nothing", "d") }}' as b, '{{ config.get("nothing") }}' as c,
  '{{ config.get("tags") }}' as d, '{{ config.get("alias") }}' as e
