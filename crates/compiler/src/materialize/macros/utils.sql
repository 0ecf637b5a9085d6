{# dbt's functions for what databases write differently. First how each is called: a project or a package may bring its own
   version, for RisingWave, for PostgreSQL or for all. Then what RisingWave is told. Blanks and line ends are those that dbt
   writes, for they are part of a model's compiled text. #}

{% macro any_value(expression) %}{{ return(adapter.dispatch('any_value', 'dbt')(expression)) }}{% endmacro %}
{% macro array_append(array, new_element) %}{{ return(adapter.dispatch('array_append', 'dbt')(array, new_element)) }}{% endmacro %}
{% macro array_concat(array_1, array_2) %}{{ return(adapter.dispatch('array_concat', 'dbt')(array_1, array_2)) }}{% endmacro %}
{% macro array_construct(inputs=[], data_type=api.Column.translate_type('integer')) %}{{ return(adapter.dispatch('array_construct', 'dbt')(inputs, data_type)) }}{% endmacro %}
{% macro bool_or(expression) %}{{ return(adapter.dispatch('bool_or', 'dbt')(expression)) }}{% endmacro %}
{% macro cast(field, type) %}{{ return(adapter.dispatch('cast', 'dbt')(field, type)) }}{% endmacro %}
{% macro concat(fields) %}{{ return(adapter.dispatch('concat', 'dbt')(fields)) }}{% endmacro %}
{% macro date(year, month, day) %}{{ return(adapter.dispatch('date', 'dbt')(year, month, day)) }}{% endmacro %}
{% macro date_spine(datepart, start_date, end_date) %}{{ return(adapter.dispatch('date_spine', 'dbt')(datepart, start_date, end_date)) }}{% endmacro %}
{% macro date_trunc(datepart, date) %}{{ return(adapter.dispatch('date_trunc', 'dbt')(datepart, date)) }}{% endmacro %}
{% macro dateadd(datepart, interval, from_date_or_timestamp) %}{{ return(adapter.dispatch('dateadd', 'dbt')(datepart, interval, from_date_or_timestamp)) }}{% endmacro %}
{% macro datediff(first_date, second_date, datepart) %}{{ return(adapter.dispatch('datediff', 'dbt')(first_date, second_date, datepart)) }}{% endmacro %}
{% macro equals(expr1, expr2) %}{{ return(adapter.dispatch('equals', 'dbt')(expr1, expr2)) }}{% endmacro %}
{% macro escape_single_quotes(expression) %}{{ return(adapter.dispatch('escape_single_quotes', 'dbt')(expression)) }}{% endmacro %}
{% macro except() %}{{ return(adapter.dispatch('except', 'dbt')()) }}{% endmacro %}
{% macro generate_series(upper_bound) %}{{ return(adapter.dispatch('generate_series', 'dbt')(upper_bound)) }}{% endmacro %}
{% macro get_intervals_between(start_date, end_date, datepart) %}{{ return(adapter.dispatch('get_intervals_between', 'dbt')(start_date, end_date, datepart)) }}{% endmacro %}
{% macro get_powers_of_two(upper_bound) %}{{ return(adapter.dispatch('get_powers_of_two', 'dbt')(upper_bound)) }}{% endmacro %}
{% macro hash(field) %}{{ return(adapter.dispatch('hash', 'dbt')(field)) }}{% endmacro %}
{% macro intersect() %}{{ return(adapter.dispatch('intersect', 'dbt')()) }}{% endmacro %}
{% macro last_day(date, datepart) %}{{ return(adapter.dispatch('last_day', 'dbt')(date, datepart)) }}{% endmacro %}
{% macro length(expression) %}{{ return(adapter.dispatch('length', 'dbt')(expression)) }}{% endmacro %}
{% macro listagg(measure, delimiter_text="','", order_by_clause=none, limit_num=none) %}{{ return(adapter.dispatch('listagg', 'dbt')(measure, delimiter_text, order_by_clause, limit_num)) }}{% endmacro %}
{% macro position(substring_text, string_text) %}{{ return(adapter.dispatch('position', 'dbt')(substring_text, string_text)) }}{% endmacro %}
{% macro replace(field, old_chars, new_chars) %}{{ return(adapter.dispatch('replace', 'dbt')(field, old_chars, new_chars)) }}{% endmacro %}
{% macro right(string_text, length_expression) %}{{ return(adapter.dispatch('right', 'dbt')(string_text, length_expression)) }}{% endmacro %}
{% macro safe_cast(field, type) %}{{ return(adapter.dispatch('safe_cast', 'dbt')(field, type)) }}{% endmacro %}
{% macro split_part(string_text, delimiter_text, part_number) %}{{ return(adapter.dispatch('split_part', 'dbt')(string_text, delimiter_text, part_number)) }}{% endmacro %}
{% macro string_literal(value) %}{{ return(adapter.dispatch('string_literal', 'dbt')(value)) }}{% endmacro %}
{% macro current_timestamp_backcompat() %}{{ return(adapter.dispatch('current_timestamp_backcompat', 'dbt')()) }}{% endmacro %}
{% macro current_timestamp_in_utc_backcompat() %}{{ return(adapter.dispatch('current_timestamp_in_utc_backcompat', 'dbt')()) }}{% endmacro %}
{% macro cast_bool_to_text(field) %}{{ '\n  ' ~ adapter.dispatch('cast_bool_to_text', 'dbt')(field) ~ '\n' }}{% endmacro %}
{% macro current_timestamp() %}{{ adapter.dispatch('current_timestamp', 'dbt')() }}{% endmacro %}
{% macro snapshot_get_time() %}{{ adapter.dispatch('snapshot_get_time', 'dbt')() }}{% endmacro %}

{# Types #}

{% macro default__cast(field, type) %}{{ '\n    cast(' ~ field ~ ' as ' ~ type ~ ')\n' }}{% endmacro %}
{% macro default__safe_cast(field, type) %}{{ '\n    \n    cast(' ~ field ~ ' as ' ~ type ~ ')\n' }}{% endmacro %}
{% macro default__cast_bool_to_text(field) %}{{ default__cast(field, api.Column.translate_type('string')) }}{% endmacro %}

{# Texts #}

{% macro default__concat(fields) %}{{ fields | join(' || ') }}{% endmacro %}
{% macro default__escape_single_quotes(expression) %}{{ expression | replace("'", "''") }}{% endmacro %}
{% macro default__string_literal(value) %}'{{ value }}'{% endmacro %}
{% macro default__hash(field) %}md5(cast({{ field }} as {{ api.Column.translate_type('string') }})){% endmacro %}
{% macro default__length(expression) %}{{ '\n\n    length(\n        ' ~ expression ~ '\n    )' }}{% endmacro %}
{% macro default__position(substring_text, string_text) %}
  {{- '\n\n    position(\n        ' ~ substring_text ~ ' in ' ~ string_text ~ '\n    )' -}}
{% endmacro %}
{% macro default__replace(field, old_chars, new_chars) %}
  {{- '\n\n    replace(\n        ' ~ [field, old_chars, new_chars] | join(',\n        ') ~ '\n    )\n\n\n' -}}
{% endmacro %}
{% macro default__right(string_text, length_expression) %}
  {{- '\n\n    right(\n        ' ~ string_text ~ ',\n        ' ~ length_expression ~ '\n    )' -}}
{% endmacro %}
{% macro default__split_part(string_text, delimiter_text, part_number) %}
  {{- '\n\n    split_part(\n        ' ~ [string_text, delimiter_text, part_number] | join(',\n        ') ~ '\n        )\n\n' -}}
{% endmacro %}

{# A part that is counted from the end #}
{% macro _split_part_negative(string_text, delimiter_text, part_number) %}

    split_part(
        {{ string_text }},
        {{ delimiter_text }},
          length({{ string_text }})
          - length(
              replace({{ string_text }},  {{ delimiter_text }}, '')
          ) + 2 + {{ part_number }}
        )

{% endmacro %}

{% macro postgres__split_part(string_text, delimiter_text, part_number) %}
  {%- set part = default__split_part if part_number >= 0 else _split_part_negative -%}
  {{ '\n\n  \n    ' ~ part(string_text, delimiter_text, part_number) ~ '\n  \n\n' }}
{%- endmacro %}

{% macro postgres__listagg(measure, delimiter_text, order_by_clause, limit_num) %}
  {%- set order = (order_by_clause or '') -%}
  {%- if limit_num -%}
    {{ 'array_to_string(\n        (array_agg(\n            ' ~ measure ~ '\n            ' ~ order
       ~ '\n        ))[1:' ~ limit_num ~ '],\n        ' ~ delimiter_text ~ '\n        )' }}
  {%- else -%}
    {{ '\n    string_agg(\n        ' ~ measure ~ ',\n        ' ~ delimiter_text ~ '\n        ' ~ order ~ '\n        )' }}
  {%- endif -%}
{% endmacro %}

{# Arrays #}

{% macro default__array_append(array, new_element) %}array_append({{ array }}, {{ new_element }}){% endmacro %}
{% macro default__array_concat(array_1, array_2) %}array_cat({{ array_1 }}, {{ array_2 }}){% endmacro %}
{% macro default__array_construct(inputs, data_type) %}
  {%- set items = '[ ' ~ inputs | join(' , ') ~ ' ]' if inputs else '[]::' ~ data_type ~ '[]' -%}
  {{ '\n    array' ~ items ~ '\n    ' }}
{%- endmacro %}

{# Aggregates and sets. RisingWave has no any_value: the least will do. #}

{% macro postgres__any_value(expression) %}min({{ expression }}){% endmacro %}
{% macro default__bool_or(expression) %}bool_or({{ expression }}){% endmacro %}
{% macro default__except() %}{{ '\n\n    except\n\n' }}{% endmacro %}
{% macro default__intersect() %}{{ '\n\n    intersect\n\n' }}{% endmacro %}
{% macro postgres__equals(expr1, expr2) %}
  {%- set same = adapter.behavior.enable_truthy_nulls_equals_macro.no_warn -%}
  {{ '\n    ' if same else '' }}({{ expr1 }} {{ 'IS NOT DISTINCT FROM' if same else '=' }} {{ expr2 }})
{%- endmacro %}

{# Times #}

{% macro postgres__current_timestamp() %}now(){% endmacro %}
{% macro postgres__snapshot_get_time() %}{{ current_timestamp() }}::timestamp without time zone{% endmacro %}
{% macro postgres__current_timestamp_backcompat() %}{{ '\n    current_timestamp::' ~ type_timestamp() ~ '\n' }}{% endmacro %}
{% macro postgres__current_timestamp_in_utc_backcompat() %}
  {{- "\n    (current_timestamp at time zone 'utc')::" ~ type_timestamp() ~ '\n' -}}
{% endmacro %}
{% macro default__date(year, month, day) %}
  {{- "to_date('" ~ modules.datetime.date(year, month, day).strftime('%Y-%m-%d') ~ "', 'YYYY-MM-DD')" -}}
{% endmacro %}
{% macro default__date_trunc(datepart, date) %}date_trunc('{{ datepart }}', {{ date }}){% endmacro %}
{% macro postgres__dateadd(datepart, interval, from_date_or_timestamp) %}
  {{- '\n\n    ' ~ from_date_or_timestamp ~ " + ((interval '1 " ~ datepart ~ "') * (" ~ interval ~ '))\n\n' -}}
{% endmacro %}

{# The last day of a month, a year, …: a day before the next one begins. There is no interval of a quarter. #}
{% macro default_last_day(date, datepart) %}
  {%- set next = dateadd(datepart, '1', date_trunc(datepart, date)) -%}
  {{ 'cast(\n        ' ~ dateadd('day', '-1', next) ~ '\n        as date)' }}
{%- endmacro %}
{% macro default__last_day(date, datepart) %}{{ default_last_day(date, datepart) }}{% endmacro %}
{% macro postgres__last_day(date, datepart) %}
  {%- if datepart == 'quarter' -%}
    {%- set next = dateadd('month', '3', date_trunc(datepart, date)) -%}
    {{ '-- postgres dateadd does not support quarter interval.\n    cast(\n        ' ~ dateadd('day', '-1', next)
       ~ '\n        as date)' }}
  {%- else -%}
    {{ default_last_day(date, datepart) }}
  {%- endif -%}
{% endmacro %}

{# The difference of two times in whole parts. Each part but the largest is the difference in the next larger one, times how
   many of it there are, and what is left. #}
{% macro postgres__datediff(first_date, second_date, datepart) %}
  {%- set larger = {
      'quarter': ['year', 4], 'month': ['year', 12], 'hour': ['day', 24], 'minute': ['hour', 60],
      'second': ['minute', 60], 'millisecond': ['minute', 60000], 'microsecond': ['minute', 60000000]
  } -%}
  {%- set type = 'date' if datepart in ['year', 'quarter', 'month'] else 'timestamp' -%}
  {%- set of = {'first': "date_part('" ~ datepart ~ "', (" ~ first_date ~ ')::' ~ type ~ ')',
                'second': "date_part('" ~ datepart ~ "', (" ~ second_date ~ ')::' ~ type ~ ')'} -%}
  {%- if datepart in ['second', 'millisecond', 'microsecond'] -%}
    {%- set of = {'first': 'floor(' ~ of.first ~ ')', 'second': 'floor(' ~ of.second ~ ')'} -%}
  {%- endif -%}
  {%- if datepart == 'year' -%}
    {%- set difference = of.second ~ ' - ' ~ of.first -%}
  {%- elif datepart == 'day' -%}
    {%- set difference = '(' ~ second_date ~ ')::date - (' ~ first_date ~ ')::date' -%}
  {%- elif datepart in larger -%}
    {%- set difference = datediff(first_date, second_date, larger[datepart][0]) ~ ' * ' ~ larger[datepart][1] ~ ' + '
        ~ of.second ~ ' - ' ~ of.first -%}
  {%- elif datepart == 'week' -%}
    {%- set order = 'case when ' ~ first_date ~ ' <= ' ~ second_date ~ ' then ' -%}
    {%- set difference = datediff(first_date, second_date, 'day') ~ " / 7 + case\n            when date_part('dow', (" ~ first_date
        ~ ")::timestamp) <= date_part('dow', (" ~ second_date ~ ')::timestamp) then\n                ' ~ order
        ~ '0 else -1 end\n            else\n                ' ~ order ~ '1 else 0 end\n        end' -%}
  {%- else -%}
    {{ exceptions.raise_compiler_error('datediff knows no part of a time called ' ~ datepart) }}
  {%- endif -%}
  {{ '\n        (' ~ difference ~ ')\n    ' }}
{%- endmacro %}

{# Rows of numbers and of dates #}

{% macro default__get_powers_of_two(upper_bound) %}
  {%- if upper_bound <= 0 %}{{ exceptions.raise_compiler_error('generate_series needs a number above zero') }}{% endif -%}
  {%- for power in range(1, 100) if upper_bound <= 2 ** power %}{{ return(power) }}{% endfor -%}
{% endmacro %}

{# Every bit of a number is a column of two rows; their product has all numbers. #}
{% macro default__generate_series(upper_bound) %}

    {% set bits = range(get_powers_of_two(upper_bound)) %}

    with p as (
        select 0 as generated_number union all select 1
    ), unioned as (

    select

    {% for bit in bits %}
    p{{ bit }}.generated_number * power(2, {{ bit }})
    {{ '' if loop.last else ' + ' }}
    {% endfor %}
    + 1
    as generated_number

    from

    {% for bit in bits %}
    p as p{{ bit }}
    {{ '' if loop.last else ' cross join ' }}
    {% endfor %}

    )

    select *
    from unioned
    where generated_number <= {{ upper_bound }}
    order by generated_number

{% endmacro %}

{% macro default__get_intervals_between(start_date, end_date, datepart) %}
  {%- set query = '\n\n        select ' ~ datediff(start_date, end_date, datepart) ~ '\n\n    ' -%}
  {%- set rows = run_query(query).rows if execute else [] -%}
  {{ return(rows[0][0] if rows else 1) }}
{%- endmacro %}

{% macro default__date_spine(datepart, start_date, end_date) %}


    {# a date for each number up to how many there are #}


    with rawdata as (

        {{ generate_series(get_intervals_between(start_date, end_date, datepart)) }}

    ),

    all_periods as (

        select (
            {{ dateadd(datepart, 'row_number() over (order by 1) - 1', start_date) }}
        ) as date_{{ datepart }}
        from rawdata

    ),

    filtered as (

        select *
        from all_periods
        where date_{{ datepart }} <= {{ end_date }}

    )

    select * from filtered

{% endmacro %}
