{%- set day = modules.datetime.datetime.strptime(var('since'), '%Y-%m-%d') -%}
{%- set days = [] -%}
{%- for i in range(0, 5, 2) -%}{%- do days.append((day + modules.datetime.timedelta(days=i, hours=3)).strftime('%d/%m/%y %H:%M')) -%}{%- endfor -%}
{%- set pattern = modules.re.compile('(\\w+)@(?P<host>\\w+)') -%}
{%- set found = pattern.match('ann@example') -%}
select '{{ days }}' as days, '{{ day.date().isoformat() }} {{ day.weekday() }} {{ (day - modules.datetime.datetime(2024, 1, 1)).total_seconds() }}' as d,
  '{{ found.group("host") }} {{ found.groups() }} {{ modules.re.findall("[0-9]+", "a1b22") }} {{ modules.re.split(",\s*", "a, b,c") }}' as re,
  '{{ modules.itertools.chain([1], [2, 3]) | list }} {{ modules.itertools.product("ab", [1, 2]) | list }}' as it,
  '{{ modules.pytz.timezone("Europe/Berlin").localize(day).isoformat() }}' as tz,
  '{{ day.replace(month=3, day=1) > day }} {{ day.strftime("%A %j %U") }}' as cmp
{% if execute %}
  {% set nodes = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | map(attribute='name') | sort | list %}
  , '{{ nodes }}' as nodes, '{{ model.fqn }} {{ model.config.meta.note }} {{ this.identifier }} {{ this.include(database=false) }}' as m
{% endif %}
{# a comment {{ with }} {% things %} #}
{% raw %}-- {{ not rendered }} {% if %}{% endraw %}
{%- for a in [1, 2, 3, 4] if a is even -%}
 -- {{ a }}
{%- else -%}
 -- none
{% endfor %}
