{{ maybe_sink(ref('base')) }} where '{{ var("tenant").plan }}' = '{{ var("tenant")["plan"] }}'
