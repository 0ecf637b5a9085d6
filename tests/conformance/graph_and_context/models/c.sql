{%- set relation = load_relation(ref('a')) -%}
{%- set by_name = adapter.get_relation(database=target.database, schema=target.schema, identifier='a') -%}
select '{{ relation is none }}' as a, '{{ by_name is none }}' as b,
{% for col in adapter.get_columns_in_relation(ref('a')) -%}
  {{ col.name }} {{ col.quoted }} {{ col.dtype }} {{ col.data_type }} {{ col.is_string() }} {{ col.is_number() }} {{ col.column }},
{% endfor -%}
  {{ adapter.quote('x') }} {{ api.Column('n', 'text').name }} {{ api.Column.translate_type('string') }} {{ dbt.type_string() }} {{ dbt.type_timestamp() }} {{ dbt.type_int() }} {{ dbt.type_bigint() }} {{ dbt.type_float() }} {{ dbt.type_boolean() }} {{ type_numeric() }} {{ dbt.string_literal('x') }} {{ dbt.safe_cast('a', 'int') }} {{ dbt.concat(['a', 'b']) }}
