select {{ cents('amount') }}, {{ cents(column='a', digits=0) }}
-- {{ list_of(3) }} {{ list_of(3)[1] }} {{ list_of(2) | join(';') }} {{ fact(6) }}
-- {{ early(false) }} | {{ early('x') }}
-- {{ everything(1) }} | {{ everything(1, 2, 3, 'four', five=5) }} | {{ everything('x', z=none) }}
-- {% call wrap('p') %}text {{ this.identifier }}{% endcall %}
-- {% call(item, index) each(['x', 'y']) %}{{ index }}:{{ item }}{% endcall %}
-- {{ uses_others(2) }}
-- {{ quoted('n') }} {{ only_postgres() }}
-- {{ counter() }} {{ counter()['items'] }} {{ counter()['nested'].k[1] }}
