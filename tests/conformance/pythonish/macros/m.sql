{% macro columns_of(spec) %}
    {%- set out = [] -%}
    {%- for name, kind in spec.items() | sort -%}
        {%- do out.append({'name': name, 'kind': kind, 'n': loop.index0}) -%}
    {%- endfor -%}
    {{ return(out) }}
{% endmacro %}
{% macro wrap(tag='t') %}<{{ tag }}{% for k, v in kwargs.items() if k != 'caller' %} {{ k }}={{ v | tojson }}{% endfor %}>{{ caller() if caller is defined }}</{{ tag }}>{% endmacro %}
{% macro fib(n) %}{% if n < 2 %}{{ return(n) }}{% endif %}{{ return(fib(n - 1) + fib(n - 2)) }}{% endmacro %}
{% macro va() %}{{ varargs | join('-') }} {{ varargs | length }}{% endmacro %}
{% macro typed(x) %}{%- if x is mapping -%}map{%- elif x is string -%}str{%- elif x is boolean -%}bool{%- elif x is integer -%}int{%- elif x is float -%}float{%- elif x is sequence -%}seq{%- elif x is none -%}none{%- else -%}other{%- endif -%}{% endmacro %}
