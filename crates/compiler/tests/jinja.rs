//! Jinja as dbt's users know it, through models of small projects.

mod support;

use support::{compiled, render};

#[track_caller]
fn gives(model: &str, macros: &str, expected: &str) {
    match render(model, macros) {
        Ok(text) => assert_eq!(text, expected),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn lists_and_dictionaries_change_in_place() {
    gives(
        "{% set a = [1] %}{% do a.append(2) %}{% do a.extend([3, 4]) %}{% do a.insert(0, 0) %}{{ a.pop() }}:{{ a | join(',') }}",
        "",
        "4:0,1,2,3",
    );
    gives(
        "{% set d = {'a': {'x': [1]}} %}{% do d.update({'b': 2}) %}{% do d['a']['x'].append(5) %}{% do d.setdefault('c', 3) %}\
         {{ d.keys() | join(',') }} {{ d['a'].x | length }} {{ d.get('z', 'none') }} {{ d.pop('b') }} {% for k, v in d.items() %}{{ k }}{% endfor %}",
        "",
        "a,b,c 2 none 2 ac",
    );
    gives(
        "{% set ns = namespace(found=[]) %}{% for i in [1, 2] %}{% do ns.found.append(i) %}{% endfor %}{{ ns.found | join }}",
        "",
        "12",
    );
    gives(
        "{% set a = [1] %}{{ 1 in a }} {{ a + [2] == [1, 2] }} {{ a[-1] }} {{ a | tojson }} {{ tojson({'a': [1, none]}) }}",
        "",
        "True True 1 [1] {\"a\": [1, null]}",
    );
}

#[test]
fn collections_print_as_in_python() {
    gives(
        "{% set a = ['x', 1, none, true, {'k': 'v'}, (1, 2)] %}{{ a }} {{ ['x', 1, none, true, {'k': 'v'}, (1, 2)] }}",
        "",
        "['x', 1, None, True, {'k': 'v'}, (1, 2)] ['x', 1, None, True, {'k': 'v'}, (1, 2)]",
    );
}

#[test]
fn a_collection_cannot_hold_itself() {
    let error = render(
        "{% set a = [] %}{% set b = [a] %}{% do a.append(b) %}{{ a }}",
        "",
    )
    .expect_err("refused");
    assert!(error.contains("cannot hold itself"), "{error}");
}

#[test]
fn macros_return_any_value_and_stop_there() {
    gives(
        "{% set x = pick(2) %}{{ x.name }}{{ x.items | join('+') }}",
        "{% macro pick(n) %}{% if n > 1 %}{{ return({'name': 'many', 'items': [n, n]}) }}{% endif %}never{{ missing.deeply }}{% endmacro %}",
        "many2+2",
    );
    // Through a second macro of the same file, and with an empty return.
    gives(
        "[{{ outer() }}]",
        "{% macro inner() %}{% do return(7) %}{% endmacro %}{% macro outer() %}{% set x = inner() %}{{ return(x + 1) }}{% endmacro %}",
        "[8]",
    );
}

#[test]
fn varargs_kwargs_and_callers_work_across_files() {
    let files = [
        (
            "models/m.sql",
            "{% call wrap('b', 3, x=4) %}{{ join_all(1, 2, sep='-') }}{% endcall %}|{% call(v) each([5, 6]) %}<{{ v }}>{% endcall %}",
        ),
        (
            "macros/one.sql",
            "{% macro wrap(tag) %}<{{ tag }}>{{ caller() }}</{{ tag }}>{{ varargs | length }}{{ kwargs.x }}{% endmacro %}",
        ),
        (
            "macros/two.sql",
            "{% macro join_all() %}{{ varargs | join(kwargs.get('sep', ',')) }}{% endmacro %}{% macro each(items) %}{% for i in items %}{{ caller(i) }}{% endfor %}{% endmacro %}",
        ),
    ];
    let node = compiled(&files, "m").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(node.compiled_code, "<b>1-2</b>14|<5><6>");
}

#[test]
fn dispatch_prefers_the_adapter_and_then_the_default() {
    let macros = "{% macro greet() %}{{ return(adapter.dispatch('greet')()) }}{% endmacro %}\
                  {% macro default__greet() %}default{% endmacro %}{% macro risingwave__greet() %}risingwave{% endmacro %}\
                  {% macro plain() %}{{ adapter.dispatch('plain', 'shop')() }}{% endmacro %}{% macro default__plain() %}p{% endmacro %}";
    gives(
        "{{ greet() }} {{ plain() }} {{ shop.greet() }}",
        macros,
        "risingwave p risingwave",
    );
}

#[test]
fn a_projects_macro_takes_the_place_of_ref_and_builtins_has_the_original() {
    let files = [
        ("models/a.sql", "select 1"),
        ("models/m.sql", "select * from {{ ref('a') }}"),
        (
            "macros/ref.sql",
            "{% macro ref(name) %}{{ return(builtins.ref(name).include(database=false)) }}{% endmacro %}",
        ),
    ];
    let node = compiled(&files, "m").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(node.compiled_code, "select * from \"public\".\"a\"");
}

#[test]
fn relations_render_in_parts() {
    gives(
        "{{ this }} {{ this.schema }}.{{ this.identifier }} {{ this.include(database=false) }} {{ this.quote(identifier=false) }} \
         {{ this.incorporate(type='table', path={'identifier': 'x'}) }} {{ this.is_view }} \
         {{ api.Relation.create(schema='s', identifier='i', type='view').is_view }} {{ adapter.quote('a\"b') }}",
        "",
        "\"dev\".\"public\".\"m\" public.m \"public\".\"m\" \"dev\".\"public\".m \"dev\".\"public\".\"x\" False True \"a\"\"b\"",
    );
}

#[test]
fn values_convert() {
    gives(
        "{{ fromjson('{\"a\": [1, 2]}').a | last }} {{ fromyaml('a: {b: 3}').a.b }} {{ local_md5('x') }} {{ zip([1, 2], ['a', 'b']) | length }} \
         {{ set([1, 1, 2]) | length }} {{ '4' | as_number + 1 }} {{ 'yes' | as_bool }}",
        "",
        "2 3 9dd4e461268c8034f5c8564e155c67a6 2 2 5 True",
    );
    gives(
        "{{ 'a,b'.split(',') | join('|') }} {{ 'Ab'.lower() }} {{ 'x-%s' | format(1) }} {{ 'ab'[:1] }}",
        "",
        "a|b ab x-1 a",
    );
}

#[test]
fn execute_is_false_only_while_parsing() {
    // Would fail while parsing, when run_query gives none.
    gives(
        "{% set t = run_query('select 1') %}{% if execute %}{{ t.rows | length }}{{ t.columns[0].values() | length }}{% endif %}",
        "",
        "00",
    );
}

#[test]
fn config_called_in_a_macro_configures_the_model() {
    let files = [
        ("models/m.sql", "{{ as_view() }}select 1"),
        (
            "macros/c.sql",
            "{% macro as_view() %}{{ config(materialized='view', tags=['x'], alias='renamed') }}{% endmacro %}",
        ),
    ];
    let node = compiled(&files, "m").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        node.statements[0].text,
        "create view if not exists \"dev\".\"public\".\"renamed\" as\nselect 1"
    );
}

#[test]
fn a_ref_in_a_comment_of_sql_counts_and_one_in_a_comment_of_jinja_does_not() {
    let files = [
        ("models/a.sql", "select 1"),
        ("models/b.sql", "select 1"),
        (
            "models/m.sql",
            "-- needs {{ ref('a') }}\n{# {{ ref('b') }} #}select 2",
        ),
    ];
    let compiler = support::compiler(&files).unwrap_or_else(|error| panic!("{error}"));
    let node = &compiler.manifest().nodes[&rwt_project::manifest::UniqueId("model.shop.m".into())];
    let reads: Vec<&str> = node.depends_on.iter().map(|id| id.0.as_str()).collect();
    assert_eq!(reads, ["model.shop.a"]);
}

#[test]
fn endless_macros_and_endless_output_are_stopped() {
    let error = render(
        "{{ again() }}",
        "{% macro again() %}{{ again() }}{% endmacro %}",
    )
    .expect_err("stopped");
    assert!(error.contains("rwt::jinja::limit"), "{error}");
    let error = render(
        "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
        "",
    )
    .expect_err("stopped");
    assert!(error.contains("rwt::jinja::limit"), "{error}");
}

#[test]
fn block_tags_of_other_kinds_are_left_out_of_the_way() {
    gives(
        "{{ ok() }}",
        "{% docs about %}{{ this is not jinja {% enddocs %}{% test positive(model, column_name) %}select {{ column_name }}{% endtest %}{% macro ok() %}ok{% endmacro %}",
        "ok",
    );
}

#[test]
fn names_of_the_context() {
    let files = [
        ("models/a.sql", "select 1"),
        (
            "models/m.sql",
            "{{ config(materialized='view', meta={'owner': 'x'}) }}{{ ref('a') }}|{{ target.name }} {{ target.schema }} {{ schema }} {{ project_name }} \
             {{ model.name }} {{ model.config.meta.owner }} {{ config.get('meta').owner }} {{ config.get('nothing', 'else') }} {{ flags.FULL_REFRESH }} \
             {{ var.has_var('x') }} {{ var('x', 5) }} {{ env_var('NOT_SET', 'default') }} {{ load_relation(this) is none }} {{ is_incremental() }} \
             {{ graph.nodes.values() | map(attribute='name') | join('+') }} {{ run_started_at.strftime('%Y') | length }} {{ invocation_id | length }}",
        ),
    ];
    let node = compiled(&files, "m").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        node.compiled_code,
        "\"dev\".\"public\".\"a\"|dev public public shop m x x else False False 5 default True False a+m 4 36"
    );
}

#[test]
fn a_macro_reads_what_its_file_sets_and_takes_defaults_and_names() {
    gives(
        "{{ scale(3) }} {{ scale(value=3, by=2) }} {{ scale(3, by=none) }}",
        "{% set factor = 10 %}{% macro scale(value, by=factor) %}{{ value * (by or 1) }}{% endmacro %}",
        "30 6 3",
    );
}

/// What dbt-core 1.12 gives for each.
#[track_caller]
fn all_give(cases: &[(&str, &str)]) {
    let model: Vec<&str> = cases.iter().map(|(model, _)| *model).collect();
    let expected: Vec<&str> = cases.iter().map(|(_, expected)| *expected).collect();
    match render(&model.join("\u{1}"), "") {
        Ok(text) => {
            let got: Vec<&str> = text.split('\u{1}').collect();
            for ((model, expected), got) in cases.iter().zip(&got) {
                assert_eq!(got, expected, "{model}");
            }
            assert_eq!(got.len(), expected.len());
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn regular_expressions_take_pythons_arguments() {
    all_give(&[
        (
            "{{ modules.re.sub('A','b','aAa',flags=modules.re.IGNORECASE) }}",
            "bbb",
        ),
        ("{{ modules.re.sub('A','b','aAa',1,modules.re.I) }}", "bAa"),
        ("{{ modules.re.sub('a','b','aAa',count=1) }}", "bAa"),
        (
            "{{ modules.re.sub(pattern='a', repl='b', string='aa') }}",
            "bb",
        ),
        (
            "{{ modules.re.sub('(a)(?P<x>b)', '\\\\2\\\\g<x>', 'ab') }}",
            "bb",
        ),
        ("{{ modules.re.sub('x*', '-', 'abxd') }}", "-a-b--d-"),
        ("{{ modules.re.subn('a','b','aa') }}", "('bb', 2)"),
        ("{{ modules.re.split('(,)','a,b') }}", "['a', ',', 'b']"),
        (
            "{{ modules.re.split('(a)(x)?','bac') }}",
            "['b', 'a', None, 'c']",
        ),
        ("{{ modules.re.split(',', 'a,b,c', 1) }}", "['a', 'b,c']"),
        (
            "{{ modules.re.split(',', 'a,b,c', maxsplit=1) }}",
            "['a', 'b,c']",
        ),
        (
            "{{ modules.re.split('x*', 'axbc') }}",
            "['', 'a', '', 'b', 'c', '']",
        ),
        (
            "{{ modules.re.match('(a)(b)?', 'a').groups('x') }}",
            "('a', 'x')",
        ),
        (
            "{{ modules.re.match('(a)(b)?', 'a').groups(default='y') }}",
            "('a', 'y')",
        ),
        ("{{ modules.re.compile('a+').pattern }}", "a+"),
        ("{{ modules.re.compile('a', modules.re.I).flags }}", "34"),
        (
            "{{ modules.re.compile('(a)(?P<n>b)').groupindex }}",
            "{'n': 2}",
        ),
        ("{{ modules.re.match('(a)(b)?', 'ac').string }}", "ac"),
        ("{{ modules.re.match('(?P<z>a)(b)?', 'a').lastindex }}", "1"),
        ("{{ modules.re.match('(?P<z>a)', 'a').lastgroup }}", "z"),
        ("{{ modules.re.match('b','ab') }}", "None"),
        (
            "{{ modules.re.fullmatch('A|AB','ab', flags=modules.re.I) }}",
            "<re.Match object; span=(0, 2), match='ab'>",
        ),
        ("{{ modules.re.search('ü','aüü').span() }}", "(1, 2)"),
        ("{{ modules.re.compile('a') }}", "re.compile('a')"),
    ]);
    for wrong in [
        "{{ modules.re.sub('a') }}",
        "{{ modules.re.sub('a', 'b', 'c', 1, 2, 3) }}",
        "{{ modules.re.split('a', 1) }}",
        "{{ modules.re.search('a', 'a', more=1) }}",
    ] {
        assert!(render(wrong, "").is_err(), "{wrong}");
    }
}

#[test]
fn every_list_and_dictionary_has_pythons_methods() {
    all_give(&[
        (
            "{{ ['a','b'].index('b') }} {{ [1].pop() }} {{ [1].copy() }} {{ [1].append(2) }}",
            "1 1 [1] None",
        ),
        (
            "{{ {'a':1}.update({'b':2}) }} {{ {'a':1}.setdefault('b',2) }} {{ {'a':1}.popitem() }}",
            "None 2 ('a', 1)",
        ),
        (
            "{{ {}.fromkeys([1,2], 3) }} {{ ('a','b').index('b') }} {{ ('a','a').count('a') }}",
            "{1: 3, 2: 3} 1 2",
        ),
        ("{{ [1,2,3,1].index(1, 1) }}", "3"),
        (
            "{% set l=['b','C','a'] %}{% do l.sort(reverse=true) %}{{ l }}",
            "['b', 'a', 'C']",
        ),
        (
            "{% set b=[1] %}{% set a = b + [2] %}{% do a.append(3) %}{{ a }}{{ b }}",
            "[1, 2, 3][1]",
        ),
        (
            "{% set a, b = [], {} %}{% do a.append(1) %}{% do b.update(x=1) %}{{ a }}{{ b }}",
            "[1]{'x': 1}",
        ),
        (
            "{% set ns=namespace(l=[]) %}{% set ns.l = ns.l + [1] %}{% do ns.l.append(2) %}{{ ns.l }}",
            "[1, 2]",
        ),
        (
            "{% set a = [1]*3 %}{% do a.append(2) %}{{ a }}{% set b=a[1:] %}{% do b.append(7) %}{{ b }}{{ a }}",
            "[1, 1, 1, 2][1, 1, 2, 7][1, 1, 1, 2]",
        ),
        (
            "{% set c = [[1],[2]]|sum(start=[]) %}{% do c.append(3) %}{{ c }}",
            "[1, 2, 3]",
        ),
        (
            "{% for x in [[1],[2]] %}{% do x.append(3) %}{{ x }}{% endfor %}",
            "[1, 3][2, 3]",
        ),
        (
            "{% for k, v in {'a':[]}.items() if v is not none %}{% do v.append(1) %}{{ v }}{% endfor %}",
            "[1]",
        ),
        (
            "{% for k, v in [('a', [])] %}{% do v.append(1) %}{{ v }}{% endfor %}",
            "[1]",
        ),
        (
            "{% for g in [1,2,3]|batch(2) %}{% do g.append(9) %}{{ g }}{% endfor %}",
            "[1, 2, 9][3, 9]",
        ),
        (
            "{% with a=[], b=1 %}{% do a.append(b) %}{{ a }}{% endwith %}",
            "[1]",
        ),
        (
            "{% for x in [1,2,3] if x > 1 %}{{ x }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}{% for x in ([1] if true else [2]) %}{{ x }}{% else %}none{% endfor %}",
            "23121",
        ),
        (
            "{% for x in [{'a': [{'a': []}]}] recursive %}.{{ loop(x.a) }}{% endfor %}",
            "..",
        ),
        (
            "{% for c in 'ab' %}{{ c }}{{ ',' if not loop.last }}{{ loop.length }}{{ loop.revindex }}{% endfor %}",
            "a,22b21",
        ),
    ]);
}

#[test]
fn do_takes_any_expression() {
    all_give(&[(
        "{% set a=[] %}{% do a.append(1) if a|length == 0 %}{% do [a.append(1), a.append(2)] %}\
         {% do a.append(3) or a.append(4) %}{% do a.append(5), a.append(6) %}{%- do a -%}{{ a }}",
        "[1, 1, 2, 3, 4, 5, 6]",
    )]);
}

#[test]
fn defaults_of_macros_use_earlier_parameters() {
    gives(
        "{{ d(1) }}{{ d(1, 2) }}{{ d(1, b=none) }}{{ d(a=3) }}{{ e(1) }}{{ e(1, c=2) }}{{ f(1) }}{{ f(1) }}{{ g('x') }}",
        "{% macro d(a, b=a) %}[{{ a }}{{ b }}]{% endmacro %}\
         {% macro e(a, b=a, c='%s-' % b) -%}\n [{{ a }}{{ b }}{{ c }}]{%- endmacro %}\
         {% macro f(a, b=[a]) %}{% do b.append(2) %}{{ b }}{% endmacro %}\
         {% macro g(a, b=a ~ '=', c={'k': b}) %}{{ c }}{{ varargs }}{% endmacro %}",
        "[11][12][1None][33][111-][112][1, 2][1, 2]{'k': 'x='}()",
    );
}

#[test]
fn tests_and_indent_are_jinjas() {
    all_give(&[
        (
            "{{ none is iterable }} {{ 'a' is iterable }} {{ {} is iterable }} {{ 1 is iterable }} {{ x is iterable }}",
            "False True True False True",
        ),
        (
            "{{ 'a' is sequence }} {{ {} is sequence }} {{ 1 is sequence }} {{ (1,) is sequence }} {{ none is sequence }} {{ range(3) is sequence }}",
            "True True False True False True",
        ),
        (
            "{{ 1 is callable }} {{ range is callable }} {{ set is callable }} {{ ref is callable }} {{ config is callable }} {{ [] is callable }}",
            "False True True True True False",
        ),
        (
            "{{ 'select 1\\nfrom x\\n' | indent(4) }}!",
            "select 1\n    from x\n!",
        ),
        ("{{ 'a\\n\\nb' | indent('--') }}!", "a\n\n--b!"),
        ("{{ 'a\\n\\nb' | indent(2, true) }}!", "  a\n\n  b!"),
        (
            "{{ 'a\\n\\nb' | indent(width=2, first=true, blank=true) }}!",
            "  a\n  \n  b!",
        ),
        ("{{ '' | indent(2, true) }}!", "  !"),
    ]);
}

#[test]
fn methods_of_text_take_pythons_arguments() {
    all_give(&[
        (
            "{{ 'a,b'.split(sep=',') }} {{ 'a,b,c'.split(',', maxsplit=1) }} {{ 'a b  c'.split(maxsplit=1) }} {{ ' a  b '.split(none, 1) }} {{ ' a b '.split() }}",
            "['a', 'b'] ['a', 'b,c'] ['a', 'b  c'] ['a', 'b '] ['a', 'b']",
        ),
        (
            "{{ 'a,b,c'.rsplit(',', maxsplit=1) }} {{ 'a,b,c'.rsplit(sep=',') }} {{ 'a b  c'.rsplit(maxsplit=1) }}",
            "['a,b', 'c'] ['a', 'b', 'c'] ['a b', 'c']",
        ),
        (
            "{{ 'a\\nb'.splitlines(keepends=true) }} {{ 'a\\nb\\n'.splitlines() }} {{ 'a\\r\\n\\rb'.splitlines(true) }}",
            "['a\\n', 'b'] ['a', 'b'] ['a\\r\\n', '\\r', 'b']",
        ),
        (
            "{{ 'banana'.find('a',2) }} {{ 'banana'.find('a',2,3) }} {{ 'banana'.rfind('a',0,3) }} {{ 'banana'.index('n',3) }} {{ 'üb'.find('b') }} {{ 'banana'.find('a',-1) }}",
            "3 -1 1 4 1 5",
        ),
        (
            "{{ 'banana'.count('a',2) }} {{ 'banana'.count('') }} {{ 'ab'.startswith('b',1) }} {{ 'abc'.endswith('b',0,2) }} {{ 'ab'.startswith(('x','a')) }}",
            "2 7 True True True",
        ),
        (
            "{{ 'abc'.translate({97: 'x', 98: none}) }} {{ 'abc'.translate(''.maketrans('ab','xy')) }} {{ 'abc'.translate(''.maketrans('ab','xy','c')) }} {{ ''.maketrans({'a':'b'}) }}",
            "xc xyc xy {97: 'b'}",
        ),
        (
            "{{ 'ab'.isprintable() }} {{ 'a\\n'.isprintable() }} {{ '{a}'.format_map({'a':1}) }}",
            "True False 1",
        ),
    ]);
}

#[test]
fn sets_are_pythons() {
    all_give(&[
        (
            "{% set a=set([2,1]) %}{% set b=set([2]) %}{{ a.difference(b) }} {{ a.union([3]) }} {{ a.intersection(b) }} {{ a.symmetric_difference([1, 4]) }}",
            "{1} {2, 1, 3} {2} {2, 4}",
        ),
        (
            "{% set a=set([2,1]) %}{% set b=set([2]) %}{{ b.issubset(a) }} {{ a.issuperset(b) }} {{ a.isdisjoint([5]) }} {{ a | length }} {{ 1 in a }} {{ 3 in a }}",
            "True True True 2 True False",
        ),
        (
            "{{ set([1,2]) == set([2,1]) }} {{ set([1]) == set([2]) }} {{ set([]) }} {{ set(5) }} {{ set(5, default=1) }} {{ 'x' if set([]) else 'y' }}",
            "True False set() None 1 y",
        ),
        (
            "{% set a=set([1,2]) %}{% do a.add(3) %}{% do a.add(3) %}{{ a }}{% do a.discard(1) %}{{ a }}{% do a.update([7], a) %}{{ a }}",
            "{1, 2, 3}{2, 3}{2, 3, 7}",
        ),
        (
            "{{ set('aba') | sort | join }} {{ set({'k': 1}) }} {{ set([1]) is iterable }} {{ set([1]) is sequence }} {% for x in set([1, 1]) %}{{ x }}{% endfor %} {{ set(['b', 'b']) | list }}",
            "ab {'k'} True False 1 ['b']",
        ),
    ]);
    assert!(render("{{ set([1]).remove(2) }}", "").is_err());
}

#[test]
fn conversions_fail_and_count_as_in_dbt() {
    all_give(&[
        (
            "{{ fromjson('bad') }} {{ fromjson('bad', 1) }} {{ fromyaml('{') }} {{ zip(1) }} {{ zip(1, default=2) }}",
            "None 1 None None 2",
        ),
        (
            "{{ diff_of_two_dicts({'a':['x','Y'],'B':['z'], 'c': ['q']}, {'A':['y'], 'c': ['Q']}) }}",
            "{'a': ['x'], 'B': ['z']}",
        ),
        (
            "{{ {1:'a'}|tojson }} {{ {'a':[1,2], 'b': {}}|tojson(indent=2) }}",
            "{\"1\": \"a\"} {\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}",
        ),
        (
            "{{ ['b','A','c']|sort(false) }} {{ ['b','A','c']|sort(true) }} {{ ['b','A']|sort(false,true) }}",
            "['A', 'b', 'c'] ['c', 'b', 'A'] ['A', 'b']",
        ),
        (
            "{{ {'b':1,'a':2}|dictsort(false,'value') }} {{ {'b':1,'A':2}|dictsort(true) }} {{ {'b':1,'a':2}|dictsort(false,'value',true) }}",
            "[('b', 1), ('a', 2)] [('A', 2), ('b', 1)] [('a', 2), ('b', 1)]",
        ),
        (
            "{{ '1_000'|int }} {{ ' 7 '|int }} {{ []|int }} {{ 'x'|int(5) }} {{ '0x1F'|int(0,16) }} {{ '7.9'|int }} {{ '1e3'|int }} {{ none|int }} {{ 'ff'|int(base=16) }} {{ true|int }} {{ -7.9|int }} {{ '_1'|int }}",
            "1000 7 0 5 31 7 1000 0 255 1 -7 0",
        ),
        (
            "{{ none|float }} {{ ' 1.5 '|float }} {{ '1_0.5'|float }} {{ 'x'|float(2) }} {{ []|float }} {{ 'x'|float(default=3) }}",
            "0.0 1.5 10.5 2 0.0 3",
        ),
        (
            "{% set ns=namespace({'a':1}, b=2) %}{{ ns.a }}{{ ns.b }}",
            "12",
        ),
        (
            "{% set c=cycler('a','b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% do c.reset() %}{{ c.next() }}",
            "ababa",
        ),
        (
            "{% set j=joiner() %}{{ j() }}{{ j() }}{{ j() }}{% set j=joiner('|') %}{{ j() }}{{ j() }}",
            ", , |",
        ),
    ]);
}

#[test]
fn columns_have_sizes() {
    all_give(&[
        (
            "{% set c = api.Column('a','numeric',none,10,2) %}{{ c.data_type }} {{ c.dtype }} {{ c.numeric_precision }} {{ c.char_size }} {{ c.literal(1) }}",
            "numeric(10,2) numeric 10 None 1::numeric(10,2)",
        ),
        (
            "{% set c = api.Column('a','varchar',10) %}{{ c.data_type }} {{ c.dtype }} {{ c.string_size() }} {{ c.can_expand_to(api.Column('b', 'varchar', 20)) }} {{ c.can_expand_to(api.Column('b', 'varchar', 5)) }}",
            "character varying(10) varchar 10 True False",
        ),
        (
            "{{ api.Column('a','numeric',numeric_precision=10).data_type }} {{ api.Column('a','text').string_size() }} {{ api.Column('a','integer',none,10,0).data_type }} {{ api.Column('a','varchar').data_type }}",
            "numeric 256 integer varchar",
        ),
        (
            "{% for t in ['numeric(10,2)', 'character varying(20)', 'integer', 'numeric(5)', 'bad('] %}{{ api.Column.from_description('a', t).data_type }} {% endfor %}",
            "numeric(10,2) character varying(20) integer numeric bad ",
        ),
        (
            "{{ api.Column.from_description('a', 'character varying(20)').char_size }}",
            "20",
        ),
    ]);
    assert!(render("{{ api.Column.from_description('a', 'varchar(x)') }}", "").is_err());
}

#[test]
fn times_are_read_and_written_as_in_python() {
    all_give(&[
        (
            "{{ modules.datetime.datetime.strptime('2024-01-02T03:04:05.123Z','%Y-%m-%dT%H:%M:%S.%fZ') }}",
            "2024-01-02 03:04:05.123000",
        ),
        (
            "{{ modules.datetime.datetime(2024,1,2,3,4).isoformat(' ') }} {{ modules.datetime.datetime(2024,1,2,3,4,5,6).isoformat() }}",
            "2024-01-02 03:04:00 2024-01-02T03:04:05.000006",
        ),
        (
            "{{ modules.datetime.datetime(2024,1,2,3,4,5,6).isoformat(timespec='milliseconds') }} {{ modules.datetime.datetime(2024,1,2,3,4,5,6).isoformat(' ', 'minutes') }}",
            "2024-01-02T03:04:05.000 2024-01-02 03:04",
        ),
        (
            "{{ modules.datetime.time(3,4).isoformat(timespec='seconds') }} {{ modules.datetime.date(2024,1,2).isoformat() }}",
            "03:04:00 2024-01-02",
        ),
        (
            "{{ modules.datetime.datetime.utcfromtimestamp(0) }} {{ modules.datetime.date.fromordinal(738000) }}",
            "1970-01-01 00:00:00 2021-07-29",
        ),
    ]);
    assert!(render("{{ modules.datetime.date.fromordinal(0) }}", "").is_err());
}
