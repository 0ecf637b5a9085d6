{% test fresh(model, column_name, days=1) %}
{{ config(severity='error', tags=['freshness']) }}
select * from {{ model }} where {{ column_name }} < {{ dbt.dateadd('day', -days, dbt.current_timestamp()) }}
{% endtest %}
