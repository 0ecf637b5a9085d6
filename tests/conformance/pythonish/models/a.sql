{%- set spec = {'b': 'int', 'a': 'varchar', 'c': 'numeric(10,2)'} -%}
select
{%- for c in columns_of(spec) %}
    cast(null as {{ c.kind }}) as {{ c['name'] }}_{{ c.n }}{{ ',' if not loop.last }}  -- {{ loop.index }}/{{ loop.length }} {{ loop.cycle('odd', 'even') }} {{ loop.previtem.name if loop.previtem is defined }} {{ loop.nextitem.name if not loop.last }}
{%- endfor %}
