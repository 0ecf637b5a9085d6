{%- set rows = [{'g': 'x', 'v': 2}, {'g': 'y', 'v': 1}, {'g': 'x', 'v': 5}] -%}
select
{% for g, items in rows | groupby('g') %}'{{ g }}:{{ items | map(attribute='v') | join('+') }}' as {{ g }},
{% endfor %}
'{{ rows | selectattr("v", "gt", 1) | map(attribute="g") | unique | list }}' as sel,
'{{ rows | rejectattr("g", "equalto", "x") | list | length }}' as rej,
'{{ rows | sort(attribute="v") | map(attribute="v") | list }}' as srt,
'{{ range(10) | batch(4, "-") | map("list") | list }}' as bat, '{{ range(7) | slice(3) | map("list") | list }}' as sli,
'{{ rows | tojson }}' as tj, '{{ rows[0] | dictsort }}' as ds, '{{ rows[0] | items | list }}' as it,
'{{ fromjson('{"a": [1, 2.5, null, true]}').a }}' as fj, '{{ toyaml({"a": [1, 2]}) | trim | replace("\n", ";") }}' as ty,
'{{ fromyaml("a: 1\nb: [x, y]") }}' as fy, '{{ zip([1, 2], ["a", "b"]) | list }}' as zp, '{{ set([3, 1, 3]) | sort }}' as st,
'{{ "it''s" if false else "its" }}' as q, '{{ local_md5("hello") }}' as md,
'{{ wrap("p", a=1, b=[1]) }}' as w1, '{% call wrap(tag="q") %}in {{ 1 + 1 }}{% endcall %}' as w2,
{{ fib(12) }} as fib,
'{{ typed({}) }} {{ typed("") }} {{ typed(true) }} {{ typed(1) }} {{ typed(1.5) }} {{ typed([]) }} {{ typed(none) }}' as types,
'{{ "a" ~ 1 ~ none ~ true ~ 1.0 }}' as til, '{{ undefined_thing | default("dflt") }}' as d1, '{{ "" | default("e", true) }}' as d2,
'{{ "Title case here" | title }} {{ "x" | upper | lower | capitalize }} {{ "a b c" | wordcount }} {{ "abcdef" | truncate(5) }} {{ "  t " | trim }}' as fl,
'{{ [1, [2, [3]]] | length }} {{ "abc" | first }} {{ [1, 2, 3] | last }} {{ [3, 1] | min }} {{ 3.14159 | round(2) }} {{ 2.5 | round }} {{ -3 | abs }}' as nu,
'{{ "a\tb" | urlencode }} {{ "<b>" | escape }} {{ "x-y_z" | replace("-", "+", 1) }} {{ "abc" | list }} {{ "k=v" | string }}' as es
