{% macro default__star() %}my star{% endmacro %}
{% macro shadowed() %}from the root{% endmacro %}
