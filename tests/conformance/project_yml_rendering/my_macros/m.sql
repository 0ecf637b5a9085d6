{% macro macro_here() %}1{% endmacro %}
