{% set base = ref('base') -%}
{%- if not (base is mapping and base.get('metadata', {}).get('type', '').endswith('Relation')) -%}no relation{%- endif -%}
-- {{ base.path.schema }} {{ base.quote_character }} {{ api.Relation.add_ephemeral_prefix('x') }} {{ base.get('metadata').type }}
{% set columns = {} -%}
{%- do columns.update({base: []}) -%}
{%- for column in adapter.get_columns_in_relation(base) -%}
{%- do columns[base].append(column.quoted ~ ' ' ~ column.data_type ~ ' ' ~ (column.string_size() if column.is_string()) ~ ' ' ~ column.can_expand_to(column) ~ ' ' ~ column.char_size) -%}
{%- endfor -%}
-- {{ columns[base] | join(', ') }} {{ api.Column.numeric_type('numeric', 28, 6) }} {{ api.Column.string_type(10) }}
select 1 as a
