//! The manifest of every conformance case against the one that dbt-core 1.12.6 with dbt-risingwave 1.12.1 wrote, and
//! what `state:` selectors make of differences. `tests/artifacts.rs` of the root package checks the schemas.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rwt_compiler::Flags;
use rwt_compiler::artifacts::{self, Invocation, RunResult, RunResults};
use rwt_project::environment::Environment;
use rwt_project::graph::Selection;
use rwt_project::state::{Change, Needs, Past, Snapshot, changes};
use serde_json::{Value, json};
use support::corpus::{Differences, cases, verdict};
use support::{all_shown, compiler_in, project};

/// Keys of a node that say when or where it was parsed, or that other tests compare.
const NOT_COMPARED: [&str; 13] = [
    // Not written: Jinja of property files is rendered when they are read.
    "unrendered_database",
    "unrendered_schema",
    // Always empty: which docs blocks a description names is not kept.
    "doc_blocks",
    "created_at",
    "compiled_path",
    "compiled",
    "compiled_code",
    "extra_ctes",
    "extra_ctes_injected",
    "root_path",
    // `nodes_and_their_configs_are_dbts`
    "config",
    "unrendered_config",
    "description",
];

/// Lists whose order means nothing, in order and without repetition.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(ordered).collect();
            items.sort_by_key(ToString::to_string);
            items.dedup();
            Value::Array(items)
        }
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), ordered(value)))
            .collect(),
        other => other.clone(),
    }
}

fn section<'a>(manifest: &'a Value, name: &str) -> BTreeMap<&'a str, &'a Value> {
    let map = manifest[name].as_object().into_iter().flatten();
    map.map(|(id, node)| (id.as_str(), node)).collect()
}

fn manifest_of(compiler: &rwt_compiler::Compiler) -> Value {
    let compiled = compiler
        .compile_all(&compiler.order())
        .unwrap_or_else(|errors| panic!("{}", all_shown(&errors)));
    serde_json::to_value(compiler.artifact(&compiled)).expect("JSON")
}

#[test]
fn manifests_are_dbts() {
    let differences = Differences::read();
    let mut problems = Vec::new();
    let mut compared = 0;
    for case in cases() {
        let Some(want) = case.expected("manifest.json") else {
            continue;
        };
        let compiler = match case.compiler(Flags::default(), &[]) {
            Ok(compiler) => compiler,
            Err(error) => {
                problems.push(format!("{}: does not load:\n{error}", case.name));
                continue;
            }
        };
        let got = serde_json::to_value(compiler.artifact(&[])).expect("JSON");
        for name in [
            "project_name",
            "project_id",
            "adapter_type",
            "quoting",
            "dbt_schema_version",
        ] {
            assert_eq!(
                got["metadata"][name], want["metadata"][name],
                "{}",
                case.name
            );
        }
        let mut say = |id: &str, what: &str, want: &Value, got: &Value| {
            let (want, got) = (ordered(want), ordered(got));
            if want != got && !differences.allows(&case.name, "manifest", id) {
                problems.push(format!(
                    "{}: {id}: {what}\n  dbt {want}\n  rwt {got}",
                    case.name
                ));
            }
        };
        for name in ["nodes", "sources", "functions"] {
            let (want, got) = (section(&want, name), section(&got, name));
            let ids: BTreeSet<&str> = want.keys().chain(got.keys()).copied().collect();
            for id in ids {
                let (Some(want), Some(got)) = (want.get(id), got.get(id)) else {
                    say(
                        id,
                        name,
                        &want.contains_key(id).into(),
                        &got.contains_key(id).into(),
                    );
                    continue;
                };
                compared += 1;
                let keys = want
                    .as_object()
                    .into_iter()
                    .chain(got.as_object())
                    .flatten();
                let keys: BTreeSet<&String> = keys.map(|(key, _)| key).collect();
                for key in keys {
                    if !NOT_COMPARED.contains(&key.as_str()) {
                        say(id, key, &want[key.as_str()], &got[key.as_str()]);
                    }
                }
            }
        }
        for name in ["parent_map", "child_map", "group_map"] {
            say("", name, &want[name], &got[name]);
        }
        let ids = |manifest: &Value| Value::from_iter(section(manifest, "disabled").into_keys());
        say("", "disabled", &ids(&want), &ids(&got));
        let own = |manifest: &Value| -> Value {
            let internal = ["dbt", "dbt_postgres", "dbt_risingwave"];
            let all = section(manifest, "macros").into_iter();
            all.filter(|(_, found)| !internal.iter().any(|name| found["package_name"] == *name))
                .map(|(id, found)| {
                    let arguments = found["arguments"].as_array().into_iter().flatten();
                    let names: Vec<&Value> = arguments.map(|argument| &argument["name"]).collect();
                    let parts = json!([
                        found["macro_sql"].as_str().unwrap_or_default().trim(),
                        found["path"],
                        found["original_file_path"],
                        names,
                        found["depends_on"],
                        found["supported_languages"],
                    ]);
                    (id.to_owned(), parts)
                })
                .collect()
        };
        let (want_macros, got_macros) = (own(&want), own(&got));
        let ids = want_macros
            .as_object()
            .into_iter()
            .chain(got_macros.as_object())
            .flatten();
        let ids: BTreeSet<&String> = ids.map(|(id, _)| id).collect();
        for id in ids {
            say(
                id,
                "macro",
                &want_macros[id.as_str()],
                &got_macros[id.as_str()],
            );
        }
    }
    println!("{compared} nodes compared");
    assert!(compared > 0);
    verdict(problems, differences.unused(&["manifest"]));
}

/// A manifest of dbt is a state to compare with: of a project that did not change, nothing has changed.
#[test]
fn nothing_has_changed_since_dbt_wrote_its_manifest() {
    let differences = Differences::read();
    let mut problems = Vec::new();
    let mut compared = 0;
    for case in cases() {
        let path = case.dir.join("expected/manifest.json");
        let Ok(before) = Snapshot::read(&path) else {
            continue;
        };
        let compiler = case.compiler(Flags::default(), &[]).expect("a project");
        let now = compiler.snapshot(&[]).expect("a snapshot");
        compared += 1;
        for (id, found) in changes(&before, &now) {
            if !differences.allows(&case.name, "state", &id) {
                problems.push(format!("{}: {id}: {found:?}", case.name));
            }
        }
    }
    assert!(compared > 0);
    problems.extend(differences.unused(&["state"]));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

const SHOP: [(&str, &str); 6] = [
    (
        "models/a.sql",
        "{{ config(materialized='table') }}\nselect {{ one() }} as x",
    ),
    ("models/b.sql", "select * from {{ ref('a') }}"),
    (
        "models/c.sql",
        "select * from {{ source('raw', 'events') }}",
    ),
    (
        "macros/m.sql",
        "{% macro one() %}{{ two() }}{% endmacro %}\n{% macro two() %}2{% endmacro %}",
    ),
    (
        "models/schema.yml",
        "sources:\n  - name: raw\n    tables:\n      - name: events\nmodels:\n  - name: a\n    description: An a.\n    \
         config:\n      persist_docs: {relation: true}\n    columns:\n      - name: x\n        tests: [not_null]\n  - name: b\n",
    ),
    ("seeds/s.csv", "id,name\n1,one\n"),
];

fn write(dir: &Path, path: &str, text: &str) {
    fs::write(dir.join(path), text).expect("a file");
}

/// The changes of the shop after these edits, as `name: changes`.
fn after(edits: &[(&str, &str)]) -> Vec<String> {
    let dir = project(&SHOP);
    let state = tempfile::tempdir().expect("a directory");
    let before = compiler_in(dir.path(), &[], Flags::default()).expect("a project");
    artifacts::write(state.path(), "manifest.json", &before.artifact(&[])).expect("written");
    for (path, text) in edits {
        write(dir.path(), path, text);
    }
    let now = compiler_in(dir.path(), &[], Flags::default()).expect("a project");
    let before = Snapshot::read(&state.path().join("manifest.json")).expect("a manifest");
    changes(&before, &now.snapshot(&[]).expect("a snapshot"))
        .into_iter()
        .map(|(id, found)| {
            let words: Vec<&str> = found.into_iter().map(Change::word).collect();
            let name = id.rsplit('.').next().unwrap_or_default();
            format!("{name}: {}", words.join(", "))
        })
        .collect()
}

#[test]
fn each_kind_of_change_is_told() {
    assert_eq!(after(&[]), [""; 0]);
    assert_eq!(
        after(&[("models/b.sql", "select 1 from {{ ref('a') }}")]),
        ["b: body"]
    );
    assert_eq!(after(&[("models/d.sql", "select 1")]), ["d: new"]);
    assert_eq!(
        after(&[("models/b.sql", "select * from {{ ref('a') }}\n\n")]),
        [""; 0],
        "white space at the end is not read"
    );
    // The macro is called by another one.
    let two = "{% macro one() %}{{ two() }}{% endmacro %}\n{% macro two() %}3{% endmacro %}";
    assert_eq!(after(&[("macros/m.sql", two)]), ["a: macros"]);
    assert_eq!(after(&[("seeds/s.csv", "id,name\n2,two\n")]), ["s: body"]);
    let schema = |from: &str, to: &str| SHOP[4].1.replace(from, to);
    assert_eq!(
        after(&[("models/schema.yml", &schema("An a.", "Another a."))]),
        ["a: persisted_descriptions"]
    );
    assert_eq!(
        after(&[(
            "models/schema.yml",
            &schema(
                "      - name: events",
                "      - name: events\n        identifier: e"
            )
        )]),
        ["events: relation"]
    );
    assert_eq!(
        after(&[(
            "models/schema.yml",
            &schema("  - name: b\n", "  - name: b\n    config: {alias: bb}\n")
        )]),
        ["b: relation"]
    );
    assert_eq!(
        after(&[(
            "models/schema.yml",
            &schema(
                "  - name: b\n",
                "  - name: b\n    config: {materialized: table}\n"
            )
        )]),
        ["b: configs"]
    );
    assert_eq!(
        after(&[(
            "models/schema.yml",
            &schema("  - name: b\n", "  - name: b\n    config: {tags: [t]}\n")
        )]),
        [""; 0],
        "tags are not compared, as in dbt"
    );
}

#[test]
fn the_project_file_is_compared_as_it_is_written() {
    let files = [("models/a.sql", "select 1")];
    let dir = project(&files);
    let text = |on: &str| {
        format!(
            "name: shop\nprofile: shop\nconfig-version: 2\nmodels:\n  +materialized: \"{{{{ 'table' if env_var('STAGE') == '{on}' else 'view' }}}}\"\n"
        )
    };
    write(dir.path(), "project.yml", &text("prod"));
    let snapshot = |stage: &str| {
        let compiler = compiler_in(dir.path(), &[("STAGE", stage)], Flags::default());
        compiler
            .expect("a project")
            .snapshot(&[])
            .expect("a snapshot")
    };
    let (dev, prod) = (snapshot("dev"), snapshot("prod"));
    let materialized =
        |snapshot: &Snapshot| snapshot.nodes["model.shop.a"].config["materialized"].clone();
    assert_eq!(
        (materialized(&dev), materialized(&prod)),
        (json!("view"), json!("table"))
    );
    assert!(
        changes(&prod, &dev).is_empty(),
        "two environments of one project are no change"
    );
    write(dir.path(), "project.yml", &text("dev"));
    assert_eq!(changes(&prod, &snapshot("test")).len(), 1);

    let model =
        "{{ config(materialized='table' if env_var('STAGE') == 'prod' else 'view') }} select 1";
    write(dir.path(), "models/a.sql", model);
    let (dev, prod) = (snapshot("dev"), snapshot("prod"));
    assert_ne!(materialized(&dev), materialized(&prod));
    assert!(changes(&prod, &dev).is_empty(), "nor is a call of config()");
}

#[test]
fn selectors_choose_by_the_past() {
    let dir = project(&SHOP);
    let compiler = compiler_in(dir.path(), &[], Flags::default()).expect("a project");
    let before = compiler.snapshot(&[]).expect("a snapshot");
    write(
        dir.path(),
        "models/a.sql",
        "{{ config(materialized='table') }}\nselect 3 as x",
    );
    write(dir.path(), "models/d.sql", "select 1 as n");
    let compiler = compiler_in(dir.path(), &[], Flags::default()).expect("a project");
    let now = compiler.snapshot(&[]).expect("a snapshot");
    let past = Past {
        changes: Some(changes(&before, &now)),
        results: [("model.shop.b", "error"), ("model.shop.c", "success")]
            .map(|(id, status)| (id.to_owned(), status.to_owned()))
            .into(),
        fresher: ["source.shop.raw.events".to_owned()].into(),
    };
    let past = std::sync::Arc::new(past);
    let chosen = |select: &str| {
        let selection = Selection::parse(&[select], &[]).expect("a selector");
        let found = selection
            .against(&past)
            .resolve(compiler.manifest(), compiler.dag());
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        let names = found
            .nodes
            .iter()
            .filter_map(|id| compiler.manifest().nodes.get(id));
        let names: Vec<&str> = names.map(|node| node.name.as_str()).collect();
        names.join(" ")
    };
    assert_eq!(chosen("state:modified"), "a d not_null_a_x");
    assert_eq!(chosen("state:modified+"), "a b d not_null_a_x");
    assert_eq!(chosen("state:new"), "d");
    assert_eq!(chosen("state:modified.body"), "a d not_null_a_x");
    assert_eq!(chosen("state:modified.configs"), "d");
    assert_eq!(
        chosen("state:unmodified,resource_type:model"),
        "b c not_null_a_x"
    );
    assert_eq!(
        chosen("state:old,resource_type:model"),
        "a b c not_null_a_x"
    );
    assert_eq!(chosen("result:error"), "b");
    assert_eq!(chosen("result:error state:new"), "b d");
    assert_eq!(chosen("source_status:fresher+"), "c events");
    let needs = |select: &str| {
        Selection::parse(&[select], &[])
            .expect("a selector")
            .needs()
    };
    assert_eq!(
        needs("a,state:new"),
        Needs {
            manifest: true,
            ..Needs::default()
        }
    );
    assert!(!needs("tag:x").any());
}

#[test]
fn a_state_that_is_none_is_refused() {
    let refused = |select: &str| {
        let error = Selection::parse(&[select], &[]).expect_err("no selector");
        error[0].to_string()
    };
    assert!(refused("state:modified.bodies").contains("the states are: new, old, modified"));
    assert!(refused("source_status:stale").contains("fresher"));
    let dir = tempfile::tempdir().expect("a directory");
    let needs = Needs {
        results: true,
        ..Needs::default()
    };
    let error = Past::read(needs, None, dir.path()).expect_err("no --state");
    assert_eq!(
        error.to_string(),
        "`result:` compares with an earlier state, and none is given"
    );
    let error = Past::read(needs, Some(dir.path()), dir.path()).expect_err("no file");
    assert!(error.to_string().contains("run_results.json"), "{error}");
    fs::write(dir.path().join("manifest.json"), "{\"nodes\": {}}").expect("a file");
    let error = Snapshot::read(&dir.path().join("manifest.json")).expect_err("no manifest");
    assert!(error.to_string().ends_with("is not a manifest"), "{error}");
}

#[test]
fn results_of_a_run_are_read_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let invocation = Invocation::new(
        "i",
        chrono::Utc::now(),
        &Environment::fixed([("DBT_ENV_CUSTOM_ENV_TEAM", "data")]),
    );
    let result = RunResult {
        status: "error".to_owned(),
        unique_id: "model.shop.a".to_owned(),
        ..RunResult::default()
    };
    let args = json!({"which": "run", "vars": {"DBT_ENV_SECRET_TOKEN": "hunter2", "x": 1}});
    let args = args.as_object().cloned().unwrap_or_default();
    let results = RunResults::new(&invocation, vec![result], 1.5, args);
    let path = artifacts::write(dir.path(), "run_results.json", &results).expect("written");
    let text = fs::read_to_string(path).expect("text");
    assert!(!text.contains("hunter2"), "{text}");
    let read: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read["metadata"]["env"], json!({"TEAM": "data"}));
    let needs = Needs {
        results: true,
        ..Needs::default()
    };
    let past = Past::read(needs, Some(dir.path()), dir.path()).expect("read");
    assert_eq!(past.results["model.shop.a"], "error");
    assert_eq!(
        fs::read_dir(dir.path()).expect("a directory").count(),
        1,
        "no draft stays"
    );
}

#[test]
fn no_secret_is_written() {
    let dir = project(&[
        (
            "models/a.sql",
            "select '{{ env_var('DBT_ENV_SECRET_KEY') }}' as k",
        ),
        (
            "profiles.yml",
            "shop:\n  target: dev\n  outputs:\n    dev:\n      type: risingwave\n      host: h\n      port: 4566\n      \
             user: root\n      dbname: dev\n      schema: public\n      password: \"{{ env_var('DBT_ENV_SECRET_KEY') }}\"\n",
        ),
    ]);
    let variables = [("DBT_ENV_SECRET_KEY", "hunter2")];
    let compiler = compiler_in(dir.path(), &variables, Flags::default()).expect("a project");
    let manifest = manifest_of(&compiler).to_string();
    assert!(manifest.contains("__rwt_secret__DBT_ENV_SECRET_KEY__"));
    assert!(!manifest.contains("hunter2"));
}
