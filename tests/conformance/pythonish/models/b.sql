{% set ns = namespace(total=0, names=[]) %}
{% for k, v in var('layers').items() %}
  {% if v is number %}{% set ns.total = ns.total + v %}{% else %}{% set ns.names = ns.names + [k] %}{% endif %}
{% endfor %}
select {{ ns.total }} as total, '{{ ns.names | join(",") }}' as names,
  '{{ var("layers").gold[-1].c }}' as c, '{{ var("layers")["gold"][:2] }}' as firsts,
  '{{ var("listy") | sort | reverse | list }}' as l, {{ var('listy') | sum }} as s, {{ var('listy') | max }} as m,
  '{{ "%05.2f|%s|%d|%x" | format(3.14159, "x", 42, 255) }}' as f, '{{ "{:>8}|{:<5}|{:,}".format("ab", 7, 1234567) }}' as g,
  '{{ "a,b,,c".split(",") }}' as sp, '{{ "Hello World".swapcase().center(21, "*") }}' as ce, '{{ "abc"[::-1] }}' as rv,
  '{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 7 / 2 }} {{ 1e3 }} {{ 10 | float }} {{ "3.7" | float | int }}' as ar,
  '{{ [1, 2] + [3] }} {{ [0] * 3 }} {{ "ab" * 2 }} {{ (1, 2) }} {{ {"a": none, "b": true} }}' as li,
  '{{ 1 in [1] }} {{ "a" not in "bc" }} {{ 3 > 2 > 1 }} {{ not none }} {{ 1 == 1.0 }} {{ true and "x" or "y" }}' as lo,
  '{{ var("flag") }}' as flag, '{{ va(1, "b", none) }}' as va
