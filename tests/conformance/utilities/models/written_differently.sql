select
    {{ dbt.any_value('a') }}, {{ dbt.bool_or('b') }}, {{ dbt.cast('a', 'int') }}, {{ dbt.safe_cast('a', dbt.type_string()) }},
    {{ dbt.cast_bool_to_text('b') }}, {{ dbt.concat(['a', "'-'", 'b']) }}, {{ dbt.hash(dbt.concat(['a', 'b'])) }},
    {{ dbt.date(2026, 2, 28) }}, {{ dbt.date_trunc('month', 'at') }}, {{ dbt.dateadd('day', -1, 'at') }},
    {{ dbt.last_day('at', 'month') }}, {{ dbt.last_day('at', 'quarter') }},
    {{ dbt.length('a') }}, {{ dbt.position("'x'", 'a') }}, {{ dbt.replace('a', "'x'", "'y'") }}, {{ dbt.right('a', 3) }},
    {{ dbt.split_part('a', "'-'", 2) }}, {{ dbt.split_part('a', "'-'", -1) }},
    {{ dbt.listagg('a', "','", 'order by b') }}, {{ dbt.listagg('a', "', '", 'order by b', 3) }}, {{ dbt.listagg('a') }},
    {{ dbt.array_construct(['a', 'b']) }}, {{ dbt.array_construct() }}, {{ dbt.array_append('x', 'a') }}, {{ dbt.array_concat('x', 'y') }},
    {{ dbt.string_literal("it" ~ dbt.escape_single_quotes("'s")) }}, {{ dbt.equals('a', 'b') }},
    {{ dbt.current_timestamp() }}, {{ dbt.current_timestamp_backcompat() }}, {{ dbt.current_timestamp_in_utc_backcompat() }},
    {{ dbt.snapshot_get_time() }}, {{ adapter.dispatch('own')() }}, {{ any_value('c') }}
from a {{ dbt.except() }} select * from b {{ dbt.intersect() }} select * from c
