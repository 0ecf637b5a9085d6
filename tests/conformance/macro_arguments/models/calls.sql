select
{{ pivot('k', ['a', 'b'], prefix='is_', quote_identifiers=false) }},
{{ pivot(column='k', values=['c'], alias=False, agg='max') }}
-- {{ with_default_list(['x']) }} | {{ with_default_list(items=['y'], extra={'k': 1}) }}
-- {{ outer_caller(2) }}
-- {% set args = [1] %}{% set kw = {'c': 9} %}{{ splat(*args, **kw) }} {{ splat(*[1, 5]) }} {{ splat(a=0) }}
-- {{ walk({'name': 'r', 'children': [{'name': 'x', 'children': [{'name': 'y'}]}, {'name': 'z'}]}) }}
-- {% set t, l, d = returns_many() %}{{ t }} {{ l }} {{ d }} {{ returns_many()[1][0] }}
-- {{ uses_model() }} {{ safe([1, 'it\'s', none, ['n', 2.5]]) }} {{ safe({'k': [1]}) }}
-- {{ ma.splat('p') }} {{ context['splat']('c') }} {{ context.get('nothing_here') is none }}
-- {% set f = splat %}{{ f(4) }} {{ splat is defined }} {{ nope is defined }}
-- {% if var('debug', false) %}never{% else %}always{% endif %} {{ "inline" if execute else "parse" }}
from ({{ union([ref('base'), ref('base').include(database=false), this]) }}) u
