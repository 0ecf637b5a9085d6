{% set countries = get_countries() -%}
select
{% for c in countries %}
  sum(case when country = '{{ c }}' then 1 end) as {{ c | lower }}{{ "," if not loop.last }}
{% endfor %}
-- {{ countries }}
{%- set t = run_query('select country, n from stats') %}
{%- if execute %}
{% for row in t %}
-- {{ row }} {{ row[0] }} {{ row['n'] }} {{ row.country }} {{ row.keys() }} {{ row | length }}
{% endfor %}
{% for row in t.rows %}-- {{ row.get('share') }} {{ row[3] }}
{% endfor %}
-- {{ t.column_names }} {{ t.columns | length }} {{ t.rows | length }} {{ t.columns['n'].values() }} {{ t.columns[1].name }}
-- {% for col in t.columns if col.name != "share" %}{{ col.name }}={{ col.values() | list }};{% endfor %}
-- {{ t.rows[0] }} {{ t.rows[-1][0] }} {{ t.columns.n.values() | list | length }} {{ t.columns.country.values_distinct() | list | length }}
-- {{ t.columns.keys() }} {{ t.rows | map(attribute='country') | list }} {{ t.column_types | length }}
{% endif %}
{%- call statement('max_n', fetch_result=True) %}select max(n) from stats{% endcall %}
{%- set loaded = load_result('max_n') %}
-- {{ loaded['data'] }} {{ loaded['table'].rows[0][0] }} {{ loaded.data[0][0] if execute }} {{ loaded['response'] }}
-- {{ load_result('nothing') }}
