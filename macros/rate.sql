{# The share of `whole` that `part` is, with two decimals; 0 where there is no whole. #}
{% macro rate(part, whole) -%}
    case when {{ whole }} > 0 then round({{ part }}::numeric / {{ whole }}, 2) else 0 end
{%- endmacro %}
