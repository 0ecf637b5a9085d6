{% macro with_default_list(items=[], extra={}) %}
  {%- do items.append('own') -%}
  {{ items | join(',') }} {{ extra.get('k', 'none') }}
{%- endmacro %}

{% macro pivot(column, values, alias=True, agg='sum', cmp='=', prefix='', suffix='', then_value=1, else_value=0, quote_identifiers=True) %}
  {%- for value in values -%}
    {{ agg }}(case when {{ column }} {{ cmp }} '{{ value }}' then {{ then_value }} else {{ else_value }} end)
    {%- if alias %} as {% if quote_identifiers %}{{ adapter.quote(prefix ~ value ~ suffix) }}{% else %}{{ prefix ~ value ~ suffix }}{% endif %}{% endif -%}
    {%- if not loop.last %},
    {% endif -%}
  {%- endfor -%}
{% endmacro %}

{% macro outer_caller(n) %}{% for i in range(n) %}{{ inner_caller(i) }}{% endfor %}{% endmacro %}
{% macro inner_caller(i) %}{% call(x, y='d') wrapped(i) %}({{ x }}-{{ y }}-{{ i }}){% endcall %}{% endmacro %}
{% macro wrapped(i) %}[{{ caller(i) }}|{{ caller(i, y='e') }}|{{ caller(i, 'f') }}]{% endmacro %}

{% macro splat(a, b=2, c=3) %}{{ a }}{{ b }}{{ c }}{% endmacro %}
{% macro union(relations) %}{% for r in relations %}select * from {{ r }}{% if not loop.last %} union all {% endif %}{% endfor %}{% endmacro %}
{% macro walk(tree, depth=0) %}{{ '  ' * depth }}{{ tree.name }};{% for child in tree.get('children', []) %}{{ walk(child, depth + 1) }}{% endfor %}{% endmacro %}
{% macro returns_many() %}{{ return((1, [2, 3], {'a': none})) }}{% endmacro %}
{% macro uses_model() %}{{ this.identifier }}/{{ model.name }}/{{ config.get('materialized') }}{% endmacro %}
{% macro safe(x) -%}
  {%- if x is none -%}null
  {%- elif x is number -%}{{ x }}
  {%- elif x is string -%}'{{ x | replace("'", "''") }}'
  {%- elif x is mapping -%}{{ tojson(x) }}
  {%- elif x is iterable -%}({% for i in x %}{{ safe(i) }}{{ ", " if not loop.last }}{% endfor %})
  {%- endif -%}
{%- endmacro %}
