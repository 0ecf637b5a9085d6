select '{{ var('prefix') }}' as prefix, {{ var('width') }} as width
