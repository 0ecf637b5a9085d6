{% for part in ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond', 'microsecond'] -%}
select {{ dbt.datediff("a", "b", part) }} as {{ part }}{% if not loop.last %} union all{% endif %}
{% endfor %}
