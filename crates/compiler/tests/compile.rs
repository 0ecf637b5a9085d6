//! Compiled files: every built-in materialization, ephemeral models, secrets, and what is on disk.

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rwt_compiler::compile::output::{Difference, Output};
use rwt_compiler::{Compiler, Flags};
use rwt_project::manifest::UniqueId;
use support::{compiled, compiler, compiler_in, fixture, project};

fn script(compiler: &Compiler) -> String {
    let nodes = compiler
        .compile_all(&compiler.order())
        .unwrap_or_else(|errors| panic!("{}", support::all_shown(&errors)));
    compiler.script(&nodes).expect("writes")
}

#[test]
fn every_built_in_materialization() {
    let variables = [
        ("RWT_SECRET_KAFKA_PASSWORD", "hunter2"),
        ("DBT_ENV_SECRET_KEY", "s3cr3t"),
    ];
    let compiler = compiler_in(&fixture("materializations"), &variables, Flags::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let text = script(&compiler);
    assert!(
        !text.contains("hunter2") && !text.contains("s3cr3t"),
        "{text}"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn the_script_is_the_same_every_time() {
    let load = || {
        compiler_in(
            &fixture("materializations"),
            &[
                ("RWT_SECRET_KAFKA_PASSWORD", "a"),
                ("DBT_ENV_SECRET_KEY", "b"),
            ],
            Flags::default(),
        )
        .unwrap_or_else(|error| panic!("{error}"))
    };
    assert_eq!(script(&load()), script(&load()));
}

#[test]
fn ephemeral_models_are_inlined_once_and_in_order() {
    let files = [
        (
            "models/base.sql",
            "{{ config(materialized='ephemeral') }}select 1 as a",
        ),
        (
            "models/doubled.sql",
            "{{ config(materialized='ephemeral') }}select a * 2 as a from {{ ref('base') }}",
        ),
        (
            "models/m.sql",
            "{{ config(materialized='view') }}\nselect * from {{ ref('doubled') }} union all select * from {{ ref('base') }}",
        ),
    ];
    let node = compiled(&files, "m").unwrap_or_else(|error| panic!("{error}"));
    insta::assert_snapshot!(node.statements[0].text);
    assert_eq!(node.statements.len(), 1);
    let base = compiled(&files, "base").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(base.statements, []);
}

#[test]
fn schemas_follow_dbts_rule_and_a_projects_macro_replaces_it() {
    let model = (
        "models/m.sql",
        "{{ config(schema='marts', materialized='view') }}select 1",
    );
    let node = compiled(&[model], "m").unwrap_or_else(|error| panic!("{error}"));
    assert!(
        node.statements[0]
            .text
            .contains("\"dev\".\"public_marts\".\"m\"")
    );
    let own = (
        "macros/names.sql",
        "{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name | trim }}{% endmacro %}\
         {% macro generate_alias_name(custom_alias_name, node) %}{{ node.name }}_{{ node.config.materialized }}{% endmacro %}",
    );
    let compiler = compiler(&[model, own]).unwrap_or_else(|error| panic!("{error}"));
    let text = script(&compiler);
    assert!(
        text.contains("create schema if not exists \"marts\";"),
        "{text}"
    );
    assert!(
        text.contains("create view if not exists \"dev\".\"marts\".\"m_view\" as"),
        "{text}"
    );
}

#[test]
fn a_projects_default_name_takes_the_place_of_dbts_and_dbts_can_be_called() {
    let named = |macros: &str| {
        let files = [
            (
                "models/m.sql",
                "{{ config(materialized='view', schema='mart') }}select '{{ generate_schema_name('x', model) }}' as a",
            ),
            ("macros/names.sql", macros),
        ];
        let compiler = compiler(&files).expect("loads");
        let id = UniqueId("model.shop.m".to_owned());
        let schema = compiler.manifest().nodes[&id].schema.clone();
        (
            schema,
            compiler.compile(&id).expect("compiles").compiled_code,
        )
    };
    assert_eq!(
        named(""),
        (
            "public_mart".to_owned(),
            "select 'public_x' as a".to_owned()
        )
    );
    let own = "{% macro default__generate_schema_name(custom_schema_name, node) %}own_{{ custom_schema_name }}{% endmacro %}";
    assert_eq!(
        named(own),
        ("own_mart".to_owned(), "select 'own_x' as a".to_owned())
    );
}

#[test]
fn tests_have_their_columns_tags_and_the_property_files_configuration() {
    let compiler = compiler(&[
        ("models/m.sql", "{{ config(tags=['z', 'a', 'z']) }}select 1 as a"),
        (
            "models/m.yml",
            "models:\n  - name: m\n    config: {tags: [b]}\n    columns:\n      - name: a\n        tags: [money]\n        config: {tags: [late]}\n        \
             data_tests:\n          - strict: {config: {severity: error, tags: [own]}}\n",
        ),
        (
            "macros/strict.sql",
            "{% test strict(model, column_name) %}{{ config(severity='warn', limit=5) }}select 1{% endtest %}",
        ),
    ])
    .expect("loads");
    let nodes = &compiler.manifest().nodes;
    let model = &nodes[&UniqueId("model.shop.m".to_owned())];
    assert_eq!(model.tags.iter().collect::<Vec<_>>(), ["b", "z", "a"]);
    assert_eq!(
        model.config["tags"],
        serde_json::json!(["b", "z", "a", "z"])
    );
    let test = nodes
        .values()
        .find(|node| node.name == "strict_m_a")
        .expect("the test");
    assert_eq!(test.config["severity"], "error");
    assert_eq!(test.config["limit"], 5);
    assert_eq!(
        test.tags.iter().collect::<Vec<_>>(),
        ["late", "money", "own"]
    );
}

#[test]
fn files_are_written_compared_and_removed_with_their_models() {
    let dir = project(&[
        ("models/a.sql", "select 1"),
        ("models/deep/b.sql", "select 2"),
    ]);
    let output = |dir: &std::path::Path| {
        let compiler =
            compiler_in(dir, &[], Flags::default()).unwrap_or_else(|error| panic!("{error}"));
        let nodes = compiler.compile_all(&compiler.order()).expect("compiles");
        Output::complete(&nodes, compiler.script(&nodes).expect("writes"))
    };
    let found = |pairs: &[(&str, Difference)]| -> BTreeMap<PathBuf, Difference> {
        pairs
            .iter()
            .map(|(path, difference)| (PathBuf::from(path), *difference))
            .collect()
    };
    let first = output(dir.path());
    first.write(dir.path()).expect("writes");
    assert_eq!(
        std::fs::read_to_string(dir.path().join("compiled/models/deep/b.sql")).expect("is there"),
        "select 2\n"
    );
    assert_eq!(first.differences(dir.path()).expect("compares"), found(&[]));
    std::fs::remove_file(dir.path().join("models/deep/b.sql")).expect("removes");
    std::fs::write(dir.path().join("models/a.sql"), "select 3").expect("writes");
    let second = output(dir.path());
    let differences = found(&[
        ("compiled/all_models.sql", Difference::Changed),
        ("compiled/models/a.sql", Difference::Changed),
        ("compiled/models/deep/b.sql", Difference::Stale),
    ]);
    assert_eq!(
        second.differences(dir.path()).expect("compares"),
        differences
    );
    assert_eq!(second.write(dir.path()).expect("writes"), differences);
    assert!(!dir.path().join("compiled/models/deep").exists());
    assert_eq!(
        second.differences(dir.path()).expect("compares"),
        found(&[])
    );
}

/// dbt's own tests are not rendered to find out what they read, unless the project has a say in what they call.
#[test]
fn what_a_test_reads_is_the_same_with_macros_of_the_project() {
    let files = |macros| {
        [
            ("models/m.sql", "select 1 as a"),
            ("models/n.sql", "select 1 as a"),
            (
                "models/schema.yml",
                "models: [{name: m, columns: [{name: a, data_tests: [not_null, {accepted_values: {arguments: {values: [1]}}}]}]}]",
            ),
            ("macros/own.sql", macros),
        ]
    };
    let reads = |macros| {
        let compiler = compiler(&files(macros)).unwrap_or_else(|error| panic!("{error}"));
        let nodes = compiler.manifest().nodes.values();
        let tests = nodes.filter(|node| node.resource_type.is_test());
        let shown = tests.map(|test| {
            let code = compiler.compile(&test.unique_id).expect("compiles");
            assert_eq!(code.statements, []);
            (
                test.declared.macros.clone(),
                test.depends_on.clone(),
                code.compiled_code,
            )
        });
        shown.collect::<Vec<_>>()
    };
    let plain = reads("{# nothing #}");
    assert_eq!(plain.len(), 2);
    let unrelated = reads("{% macro get_test_sql() %}nothing{% endmacro %}");
    assert_eq!(unrelated, plain);
    let narrowed = reads("{% macro get_where_subquery(relation) %}{{ ref('n') }}{% endmacro %}");
    for (macros, depends_on, code) in narrowed {
        assert!(
            macros
                .iter()
                .any(|id| id.ends_with("shop.get_where_subquery")),
            "{macros:?}"
        );
        assert_eq!(depends_on.len(), 2);
        assert!(code.contains("\"n\""), "{code}");
    }
}

/// A data test makes nothing, unless it keeps the rows that fail.
#[test]
fn a_test_that_keeps_its_rows_is_in_the_script() {
    let files = |config| {
        [
            ("models/m.sql", "select 1 as a"),
            ("tests/none.sql", config),
        ]
    };
    let statements = |config| {
        let compiler = compiler(&files(config)).unwrap_or_else(|error| panic!("{error}"));
        let node = compiler.compile(&UniqueId("test.shop.none".to_owned()));
        node.expect("compiles").statements.len()
    };
    assert_eq!(statements("select * from {{ ref('m') }} where a = 2"), 0);
    assert_eq!(
        statements("{{ config(store_failures=true) }}select * from {{ ref('m') }} where a = 2"),
        1
    );
}
