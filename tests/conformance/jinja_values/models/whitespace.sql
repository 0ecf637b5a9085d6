a
{% if true %}
  b
{% endif %}
{%- if true %}
c
{%- endif -%}
   d   {{- " e " -}}   f
{#- comment -#}
g {# inline #} h
{% raw %}{{ not rendered }} {% endraw %}
{%- set x = 1 %}
{{ x }}
	{%+ if true +%} tab {% endif %}
{% for i in [1, 2] -%}
  item {{ i }}
{% endfor -%}
end {{ "{{" }} {{ '%}' }} {% raw -%}   trimmed   {%- endraw %}
-- {{ '-- not a comment' }}


trailing


