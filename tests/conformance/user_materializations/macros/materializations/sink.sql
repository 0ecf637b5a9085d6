{% materialization sink, adapter='risingwave' %}
  {%- set target_relation = this.incorporate(type='sink') -%}
  {%- set existing = load_relation(this) -%}
  {% if existing is none or flags.FULL_REFRESH %}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
      CREATE SINK IF NOT EXISTS {{ target_relation }} AS {{ sql }}
      WITH (connector = '{{ config.require("connector") }}', type = '{{ config.get("type", "append-only") }}')
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
  {% else %}
    {% call statement('main') %}select 'kept {{ existing.type }}'{% endcall %}
  {% endif %}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
