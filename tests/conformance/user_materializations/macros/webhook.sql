{% materialization webhook, adapter="risingwave" %}
{% set rel = this %}
{% set existing = adapter.get_relation(this.database, this.schema, this.identifier) %}
{% if existing is none %}
  {% call statement('main') %}
  CREATE TABLE {{ rel }} ({% for name, type in config.require('columns') %}{{ name }} {{ type }}{% if not loop.last %}, {% endif %}{% endfor %}) WITH (connector = 'webhook')
  {% endcall %}
{% else %}
  {% call noop_statement('main', 'exists', 'OK', 0) %}{% endcall %}
{% endif %}
{{ return({'relations': [rel]}) }}
{% endmaterialization %}
