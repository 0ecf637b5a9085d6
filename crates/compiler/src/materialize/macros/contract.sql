{#
  Contracts: the columns of a model's query against those of its property file. The database tells the types of both; where
  there is none, the names that the text tells are compared.
#}
{% macro get_assert_columns_equivalent(sql) -%}
    {{ adapter.dispatch('get_assert_columns_equivalent', 'dbt')(sql) }}
{%- endmacro %}
{% macro default__get_assert_columns_equivalent(sql) -%}
    {{ return(assert_columns_equivalent(sql)) }}
{%- endmacro %}

{% macro assert_columns_equivalent(sql) -%}
    {%- if not model.columns -%}
        {%- do exceptions.raise_contract_error([], []) -%}
    {%- elif not rwt__is_live() -%}
        {%- do rwt__check_contract_text(sql, model.columns) -%}
    {%- else -%}
        {%- set found = format_columns(get_column_schema_from_query(sql, config.get('sql_header'))) -%}
        {%- set wanted = format_columns(get_column_schema_from_query(get_empty_schema_sql(model.columns))) -%}
        {%- set known = {} -%}
        {%- for column in wanted -%}{%- do known.update({column.name: column.formatted}) -%}{%- endfor -%}
        {%- if found | length != wanted | length -%}{%- do exceptions.raise_contract_error(wanted, found) -%}{%- endif -%}
        {%- for column in found if known.get(column.name) != column.formatted -%}
            {%- do exceptions.raise_contract_error(wanted, found) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro format_columns(columns) -%}
    {%- set formatted = [] -%}
    {%- for column in columns -%}
        {%- do formatted.append(adapter.dispatch('format_column', 'dbt')(column)) -%}
    {%- endfor -%}
    {{ return(formatted) }}
{%- endmacro %}
{% macro default__format_column(column) -%}
    {{ return({'name': column.name, 'data_type': column.dtype, 'formatted': column.column | lower ~ ' ' ~ column.dtype}) }}
{%- endmacro %}

{% macro get_column_schema_from_query(select_sql, select_sql_header=none) -%}
    {{ return(adapter.get_column_schema_from_query(get_empty_subquery_sql(select_sql, select_sql_header))) }}
{%- endmacro %}

{% macro get_empty_subquery_sql(select_sql, select_sql_header=none) -%}
    {{ return(adapter.dispatch('get_empty_subquery_sql', 'dbt')(select_sql, select_sql_header)) }}
{%- endmacro %}
{% macro default__get_empty_subquery_sql(select_sql, select_sql_header=none) -%}
    {%- if select_sql_header is not none -%}{{ select_sql_header }}{%- endif -%}
    select * from (
        {{ select_sql }}
    ) as __dbt_sbq
    where false
    limit 0
{%- endmacro %}

{% macro get_empty_schema_sql(columns) -%}
    {{ return(adapter.dispatch('get_empty_schema_sql', 'dbt')(columns)) }}
{%- endmacro %}
{% macro default__get_empty_schema_sql(columns) -%}
    {%- set untyped = [] -%}
    {%- set naked = [] -%}
    {%- set items = [] -%}
    {%- for key in columns -%}
        {%- set column = columns[key] -%}
        {%- if not column.data_type -%}
            {%- do untyped.append(column.name) -%}
        {%- else -%}
            {%- if column.data_type | trim | lower in ['numeric', 'decimal', 'number'] -%}{%- do naked.append(column.name) -%}{%- endif -%}
            {%- set aliased = (config.get('contract') or {}).get('alias_types', true) -%}
            {%- set type = api.Column.translate_type(column.data_type) if aliased else column.data_type -%}
            {%- do items.append(cast('null', type) ~ ' as ' ~ (adapter.quote(column.name) if column.quote else column.name)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if untyped -%}
        {%- do exceptions.column_type_missing(column_names=untyped) -%}
    {%- elif naked -%}
        {%- do exceptions.warn('Detected columns with numeric type and unspecified precision/scale, this can lead to unintended rounding: ' ~ naked ~ '`') -%}
    {%- endif -%}
    select {{ items | join(', ') }}
{%- endmacro %}
