{% set ignored %}{{ log('hello', info=true) }}{% endset -%}
{% do print('printed') %}
{%- set q = run_query('select 1') -%}
select '{{ ignored }}' as a, '{{ execute }}' as b, '{{ flags.FULL_REFRESH }}' as c, {{ 'null' if not execute else 'not null' }} as d,
 '{{ flags.WHICH }}' as e, '{{ is_incremental() }}' as f, '{{ adapter.type() }}' as g, '{{ adapter.quote("a b") }}' as h,
 '{{ builtins.ref("calls") }}' as i, '{{ local_md5("hello") }}' as j, '{{ exceptions is defined }}' as k, '{{ dbt_version }}' as l,
 '{{ return("r") if false else "n" }}' as m, '{{ tojson({"b": [1, 2.5, none, true], "a": "é"}) }}' as n, '{{ fromjson("[1, {\"a\": null}]") }}' as o,
 '{{ toyaml({"a": [1, "x"]}) }}' as p, '{{ fromyaml("a: [1, yes]") }}' as q, '{{ zip([1, 2], ["a", "b"]) | list }}' as r,
 '{{ set([1, 1]) | list }}' as s, '{{ modules.re.sub("[0-9]+", "#", "a1b22") }}' as t, '{{ modules.datetime.date(2024, 2, 29).isoformat() }}' as u,
 '{{ modules.datetime.datetime(2024, 1, 31, 12).strftime("%Y-%m-%d %H") }}' as v,
 '{{ modules.itertools.product([1, 2], ["a"]) | list }}' as w, '{{ tojson(zip_strict([1], [2]) | list) }}' as x
