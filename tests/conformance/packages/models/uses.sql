select '{{ utils.star() }}' as a, '{{ utils.calls_shadowed() }}' as b, '{{ shadowed() }}' as c, '{{ utils.shadowed() }}' as d, '{{ utils.only_in_package() }}' as e
from {{ ref('calendar') }} join {{ ref('utils', 'calendar') }} using (level) join {{ ref('days') }} on true
