#!/usr/bin/env python3
"""Writes a dbt project of a given size, which dbt, dbt's Rust engine and rwt all take.

    generate.py MODELS DIRECTORY [--type risingwave|postgres]

Ten source tables per hundred models, then four layers (staging, intermediate, marts, reports) in folders of fifty models,
each with a property file that describes every model, its columns and two or three data tests. One macro per hundred
models, a few that all use, some of them nested; variables of the project; a singular test per hundred models. The same
size gives the same bytes.
"""

import argparse
import pathlib
import textwrap

LAYERS = [("staging", "stg", 0.4, "view"), ("intermediate", "int", 0.3, "materialized_view"),
          ("marts", "mart", 0.2, "materialized_view"), ("reports", "rep", 0.1, "view")]
FOLDER = 50

PROJECT = """\
name: shop
version: "1.0"
config-version: 2
profile: shop
model-paths: [models]
macro-paths: [macros]
test-paths: [tests]
vars:
  minimum: 10
  currencies: [EUR, USD, GBP]
  start_date: "2026-01-01"
models:
  shop:
    +tags: [generated]
"""

PROFILE = """\
shop:
  target: dev
  outputs:
    dev:
      type: {type}
      host: 127.0.0.1
      port: 4566
      user: root
      password: ""
      dbname: dev
      schema: public
      threads: 4
"""

COMMON_MACROS = """\
{% macro cents(column, scale=2) -%}
    round({{ column }}::numeric / 100, {{ scale }})
{%- endmacro %}

{% macro rate(part, whole) -%}
    case when {{ whole }} > 0 then {{ cents(part, 4) }} / {{ whole }} else 0 end
{%- endmacro %}

{% macro by_currency(column) -%}
    {%- for currency in var('currencies') %}
    sum({{ column }}) filter (where currency = '{{ currency }}') as {{ column }}_{{ currency | lower }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro since(column) -%}
    {{ column }} >= '{{ var("start_date") }}'{% if target.name == 'prod' %} and {{ column }} < now(){% endif %}
{%- endmacro %}
"""


def macro(number):
    return textwrap.dedent(f"""\
        {{% macro bucket_{number}(column) -%}}
            {{%- set limits = [{number + 1}, {number + 10}, {number + 100}] -%}}
            case
            {{%- for limit in limits %}}
                when {{{{ column }}}} < {{{{ limit }}}} then '{{{{ loop.index }}}}'
            {{%- endfor %}}
                else 'rest'
            end
        {{%- endmacro %}}
        """)


def staging(number, sources, macros):
    source = number % sources
    return textwrap.dedent(f"""\
        {{{{ config(tags=['daily', 't{number % 7}']) }}}}

        with source as (
            select * from {{{{ source('raw', 'table_{source}') }}}}
        ),

        renamed as (
            select
                id as id_{number},
                user_id,
                currency,
                {{{{ cents('amount') }}}} as amount,
                {{{{ bucket_{number % macros}('amount') }}}} as bucket,
                event_time
            from source
            where {{{{ since('event_time') }}}}
        )

        select * from renamed
        """)


def derived(number, first, second, macros):
    return textwrap.dedent(f"""\
        {{{{ config(meta={{'owner': 'team_{number % 11}'}}) }}}}
        {{% set minimum = var('minimum') %}}

        with first as (
            select * from {{{{ ref('{first}') }}}}
        ),

        second as (
            select user_id, max(event_time) as last_seen from {{{{ ref('{second}') }}}} group by user_id
        ),

        joined as (
            select
                first.user_id,
                first.currency,
                {{{{ bucket_{number % macros}('first.amount') }}}} as bucket,
                first.amount,
                second.last_seen as event_time
            from first
            left join second on first.user_id = second.user_id
            {{# nobody knows why the minimum is kept in a variable #}}
            where first.amount > {{{{ minimum }}}}
        )

        select
            user_id,
            currency,
            max(event_time) as event_time,
            sum(amount) as amount,
            {{{{ by_currency('amount') }}}},
            {{{{ rate('sum(amount)', 'count(*)') }}}} as mean
        from joined
        {{%- if execute %}}
        where {{{{ since('event_time') }}}}
        {{%- endif %}}
        group by user_id, currency
        """)


def properties(models, materialized):
    out = ["version: 2", "models:"]
    for name, parent in models:
        out.append(textwrap.indent(textwrap.dedent(f"""\
            - name: {name}
              description: What {name} holds, per user and currency.
              config:
                materialized: {materialized}
              columns:
                - name: user_id
                  description: The user.
                  data_tests:
                    - not_null
                - name: currency
                  description: ISO 4217.
                  data_tests:
                    - accepted_values:
                        arguments:
                          values: [EUR, USD, GBP]
                - name: amount
                  description: "In units of the currency."
            """), "  ").rstrip())
        if parent:
            out.append(textwrap.indent(textwrap.dedent(f"""\
                - name: event_time
                  data_tests:
                    - relationships:
                        arguments:
                          to: ref('{parent}')
                          field: event_time
                """), "      ").rstrip())
    return "\n".join(out) + "\n"


def generate(models, directory, kind="risingwave"):
    root = pathlib.Path(directory)

    def write(path, text):
        path = root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    macros = max(models // 100, 2)
    sources = max(models // 10, 2)
    write("dbt_project.yml", PROJECT)
    write("profiles.yml", PROFILE.format(type=kind))
    write("macros/common.sql", COMMON_MACROS)
    for number in range(macros):
        write(f"macros/buckets/bucket_{number}.sql", macro(number))
    tables = "".join(f"      - name: table_{number}\n        description: Raw events.\n" for number in range(sources))
    write("models/sources.yml", f"version: 2\nsources:\n  - name: raw\n    schema: public\n    tables:\n{tables}")
    below = []
    number = 0
    for at, (layer, prefix, share, materialized) in enumerate(LAYERS):
        count = models - number if at == len(LAYERS) - 1 else int(models * share)
        layer_models = []
        for index in range(count):
            name = f"{prefix}_{index}"
            folder = f"models/{layer}/part_{index // FOLDER}"
            if below:
                first, second = below[index % len(below)], below[(index * 7 + 3) % len(below)]
                text = derived(number, first, second, macros)
                parent = first if index % 5 == 0 else None
            else:
                text, parent = staging(number, sources, macros), None
            write(f"{folder}/{name}.sql", text)
            layer_models.append((folder, name, parent))
            number += 1
        for folder in sorted({folder for folder, _, _ in layer_models}):
            here = [(name, parent) for where, name, parent in layer_models if where == folder]
            write(f"{folder}/properties.yml", properties(here, materialized))
        below = [name for _, name, _ in layer_models]
    for test in range(macros):
        write(f"tests/no_negatives_{test}.sql",
              f"select * from {{{{ ref('stg_{test}') }}}} where amount < 0 and {{{{ since('event_time') }}}}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=int)
    parser.add_argument("directory")
    parser.add_argument("--type", default="risingwave", choices=["risingwave", "postgres"])
    given = parser.parse_args()
    generate(given.models, given.directory, given.type)
