{%- macro generate_surrogate_key(field_list) -%}
    {{ return(adapter.dispatch('generate_surrogate_key', 'helpers')(field_list)) }}
{% endmacro %}

{%- macro default__generate_surrogate_key(field_list) -%}
{%- if var('surrogate_key_treat_nulls_as_empty_strings', False) -%}
    {%- set default_null_value = "" -%}
{%- else -%}
    {%- set default_null_value = '_null_' -%}
{%- endif -%}
{%- set fields = [] -%}
{%- for field in field_list -%}
    {%- do fields.append("coalesce(cast(" ~ field ~ " as " ~ dbt.type_string() ~ "), '" ~ default_null_value  ~"')") -%}
    {%- if not loop.last %}
        {%- do fields.append("'-'") -%}
    {%- endif -%}
{%- endfor -%}
{{ dbt.hash(dbt.concat(fields)) }}
{%- endmacro -%}

{% macro pivot(column, values, alias=True, agg='sum', cmp='=', prefix='', suffix='', then_value=1, else_value=0, quote_identifiers=True) %}
  {{ return(adapter.dispatch('pivot', 'helpers')(column, values, alias, agg, cmp, prefix, suffix, then_value, else_value, quote_identifiers)) }}
{% endmacro %}
{% macro default__pivot(column, values, alias=True, agg='sum', cmp='=', prefix='', suffix='', then_value=1, else_value=0, quote_identifiers=True) %}
  {% for value in values %}
    {{ agg }}(
      case
      when {{ column }} {{ cmp }} '{{ dbt.escape_single_quotes(value) }}'
        then {{ then_value }}
      else {{ else_value }}
      end
    )
    {% if alias %}
      {% if quote_identifiers %}
            as {{ adapter.quote(prefix ~ value ~ suffix) }}
      {% else %}
        as {{ slugify(prefix ~ value ~ suffix) }}
      {% endif %}
    {% endif %}
    {% if not loop.last %},{% endif %}
  {% endfor %}
{% endmacro %}

{% macro slugify(string) %}
{#- lower, and only letters -#}
{% set string = string | lower %}
{% set string = modules.re.sub('[ -]+', '_', string) %}
{% set string = modules.re.sub('[^a-z0-9_]+', '', string) %}
{% set string = modules.re.sub('^[0-9]', '_' + string[0], string) %}
{{ return(string) }}
{% endmacro %}

{% macro group_by(n) -%}
  group by {% for i in range(1, n + 1) -%}{{ i }}{{ ',' if not loop.last }}{%- endfor -%}
{%- endmacro %}

{% macro safe_divide(a, b) -%}( {{ a }} ) / nullif( ( {{ b }} ), 0){%- endmacro %}

{% macro date_spine(datepart, start_date, end_date) %}
{% set n = ((modules.datetime.datetime.strptime(end_date, '%Y-%m-%d') - modules.datetime.datetime.strptime(start_date, '%Y-%m-%d')).days) %}
with days as (
{%- for i in range(n) %}
  select cast('{{ (modules.datetime.date(2024, 1, 1) + modules.datetime.timedelta(days=i)).isoformat() }}' as date) as date_{{ datepart }} {{ 'union all' if not loop.last }}
{%- endfor %}
)
select * from days
{% endmacro %}

{% macro log_info(message) %}{{ return(adapter.dispatch('log_info', 'helpers')(message)) }}{% endmacro %}
{% macro default__log_info(message) %}{% do log(var('prefix', '-') ~ ': ' ~ message, info=False) %}{% endmacro %}
{% macro marker() %}{{ return(adapter.dispatch('marker', 'helpers')()) }}{% endmacro %}
{% macro default__marker() %}{{ return('of helpers ' ~ var('prefix', '-') ~ ' ' ~ var('width', 0)) }}{% endmacro %}
