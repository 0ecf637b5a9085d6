{% macro star() %}{{ return(adapter.dispatch('star', 'utils')()) }}{% endmacro %}
{% macro default__star() %}default star{% endmacro %}
{% macro shadowed() %}from the package{% endmacro %}
{% macro calls_shadowed() %}{{ shadowed() }} | {{ utils.shadowed() }} | {{ utils.star() }} | {{ var('level', 'none') }}{% endmacro %}
{% macro only_in_package() %}only here {{ project_name }}{% endmacro %}
{% test at_least_one(model, column_name) %}
select {{ column_name }} from {{ model }} having count(*) = 0
{% endtest %}
