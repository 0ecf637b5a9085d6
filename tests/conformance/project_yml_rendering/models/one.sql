select '{{ var("date") }}' as d, '{{ var("list") }}' as l, '{{ var("nested").x.y }}' as y, '{{ var("text_number") }}' as t, {{ macro_here() }}
