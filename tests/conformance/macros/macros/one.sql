{% macro cents(column, digits=2) -%}
  round({{ column }} / 100.0, {{ digits }})
{%- endmacro %}

{% macro list_of(n) %}
  {% set out = [] %}
  {% for i in range(n) %}{% do out.append(i * 2) %}{% endfor %}
  {{ return(out) }}
{% endmacro %}

{% macro fact(n) %}{% if n <= 1 %}{{ return(1) }}{% else %}{{ return(n * fact(n - 1)) }}{% endif %}{% endmacro %}

{% macro early(x) %}
  before
  {% if x %}{{ return('early ' ~ x) }}{% endif %}
  after
{% endmacro %}

{% macro everything(a, b='b') %}a={{ a }} b={{ b }} varargs={{ varargs }} kwargs={{ kwargs }}{% endmacro %}

{% macro wrap(tag) %}<{{ tag }}>{{ caller() }}</{{ tag }}>{% endmacro %}

{% macro each(items) %}{% for item in items %}[{{ caller(item, loop.index) }}]{% endfor %}{% endmacro %}
