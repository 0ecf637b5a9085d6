{% test not_constant(model, column_name, group_by_columns=[]) %}
  {{ return(adapter.dispatch('test_not_constant', 'helpers')(model, column_name, group_by_columns)) }}
{% endtest %}
{% macro default__test_not_constant(model, column_name, group_by_columns) %}
{% if group_by_columns|length() > 0 %}
  {% set select_gb_cols = group_by_columns|join(' ,') + ', ' %}
  {% set groupby_gb_cols = 'group by ' + group_by_columns|join(',') %}
{% endif %}
select
    {# in TSQL, subquery aggregate columns need aliases #}
    {{select_gb_cols}}
    count(distinct {{ column_name }}) as filler_column
from {{ model }}
  {{groupby_gb_cols}}
having count(distinct {{ column_name }}) = 1
{% endmacro %}
{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}
with meet_condition as(
  select * from {{ model }}
),
validation_errors as (
  select * from meet_condition
  where
    1 = 2
  {%- if min_value is not none %}
    or not {{ column_name }} > {{- "=" if inclusive }} {{ min_value }}
  {%- endif %}
  {%- if max_value is not none %}
    or not {{ column_name }} < {{- "=" if inclusive }} {{ max_value }}
  {%- endif %}
)
select * from validation_errors
{% endtest %}
