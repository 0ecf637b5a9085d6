{% set cols = ['a', 'b'] -%}
{% set text = "select %s from %s" % (cols | join(', '), this.identifier) %}
{{ text }} {{ "%s" % cols[0] }} {{ "%(x)s" % {'x': 1} if false }} {{ "a=%d, b=%5.2f|%-5s|%x" % (3, 2.5, "q", 255) }}
{% set d = {} %}{% for c in cols %}{% do d.update({c: c | upper}) %}{% endfor %}{{ d }} {{ d | length }} {{ d.items() | list | first }}
{% set nested = {'l': []} %}{% do nested.l.append({'x': [1]}) %}{% do nested['l'][0].x.append(2) %}{{ nested }}
{% set alias = nested %}{% do alias.l.append(3) %}{{ nested.l | length }} {{ nested is mapping }} {{ nested.l is iterable }}
{{ range(3) | list }} {{ range(2, 8, 3) | list }} {{ 'abc' in ['abc'] }} {{ cols == ['a', 'b'] }} {{ (1, 2) == (1, 2) }} {{ {'a': 1} == {'a': 1} }} {{ [1, 2] < [1, 3] }} {{ 'a' < 'b' }} {{ none == none }} {{ true == 1 }}
{{ "x" if cols else "y" }} {{ [] or 'empty' }} {{ {} or 'empty' }} {{ '' or 'empty' }} {{ 0.0 or 'zero' }} {{ none or none }} {{ 'a' and 'b' }} {{ not [] }} {{ not '' }}
{{ 7 // 2 }} {{ 7.5 // 2 }} {{ 7 / 2 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 1e3 }} {{ 1.0e-7 }} {{ 100000.0 * 10 }} {{ 1/3 }} {{ 1e16 }} {{ 123456789.123 }}
{{ cols | join("', '") }} {{ "'" ~ cols | join("', '") ~ "'" }} {{ cols | map('upper') | join }} {{ cols[::-1] }} {{ cols[-1] }} {{ cols[0:1] }} {{ "abc"[1:] }}
{%- set x %}
  multi
  line
{%- endset %}
[{{ x }}] [{{ x | trim }}] {{ x | length }} {{ x.split() }} {{ loop is defined }} {{ caller is defined }} {{ varargs is defined }}
