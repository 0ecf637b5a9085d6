select '{{ var("start") }}' as s, '{{ var("flags") }}' as f, '{{ var("list_of")[2] }}' as l, {{ var('cli_only').a | sum }} as c,
  '{{ var("not_there", none) }}' as n, '{{ var("not_there", {"x": 1}).x }}' as x, {{ 1 if var.has_var('start') else 0 }} as h
from {{ source('app', 'users') }}
