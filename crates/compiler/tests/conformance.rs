//! rwt against what dbt-core 1.12.6 with dbt-risingwave 1.12.1 made of the projects under `tests/conformance`, as
//! `record.py` recorded it. What may differ is in `DIFFERENCES.md` there and nowhere else.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use miette::Diagnostic as _;
use rwt_compiler::artifacts::RunResult;
use rwt_compiler::{Flags, When};
use rwt_project::graph::{NamedSelectors, Selection};
use rwt_project::manifest::UniqueId;
use serde_json::Value;
use support::corpus::{Case, Differences, RULES, cases, verdict};
use support::replica::{Replica, folded};
use support::{all_shown, shown};

#[test]
fn every_rule_is_explained() {
    let differences = Differences::read();
    let rules: BTreeSet<String> = RULES.iter().map(|rule| (*rule).to_owned()).collect();
    assert_eq!(rules, differences.rules);
}

fn compile_flags() -> Flags {
    Flags::default()
}

#[test]
fn compiled_sql_is_dbts_byte_for_byte() {
    let differences = Differences::read();
    let mut problems = Vec::new();
    let mut compared = 0;
    let cases: Vec<Case> = cases();
    // Each as it is, and with what the command line may say of what is read.
    let recordings = cases.iter().flat_map(|case| {
        let inputs = case.inputs().into_iter().map(move |(name, flags)| {
            let folder = case.dir.join("expected/inputs").join(name);
            (case, folder, flags)
        });
        let plain = (case, case.dir.join("expected/compiled"), compile_flags());
        std::iter::once(plain).chain(inputs)
    });
    for (case, directory, flags) in recordings {
        if !directory.is_dir() {
            continue;
        }
        let compiler = match case.compiler(flags, &[]) {
            Ok(compiler) => compiler,
            Err(error) => {
                problems.push(format!("{}: does not load:\n{error}", case.name));
                continue;
            }
        };
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let node = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let want = std::fs::read_to_string(&path).expect("text");
            let mut replica = case.replica();
            let got = compiler.compiled_code(&UniqueId(node.clone()), &mut replica);
            let got = got.unwrap_or_else(|error| format!("error: {}", shown(&error)));
            compared += 1;
            if got != want && !differences.allows(&case.name, "compiled", &node) {
                problems.push(format!(
                    "{}: {node}\n--- dbt\n{want}\n--- rwt\n{got}\n---",
                    directory.display()
                ));
            }
        }
    }
    println!("{compared} texts compared");
    verdict(problems, differences.unused(&["compiled"]));
}

/// Projects that dbt refuses, and rwt too.
#[test]
fn what_dbt_refuses_is_refused() {
    let differences = Differences::read();
    let mut problems = Vec::new();
    for case in cases() {
        let Some(error) = case.expected("error.json") else {
            continue;
        };
        let result = case.compiler(compile_flags(), &[]).and_then(|compiler| {
            let ids: Vec<UniqueId> = compiler.manifest().nodes.keys().cloned().collect();
            let built: Vec<UniqueId> = ids.into_iter().filter(|id| compiler.is_built(id)).collect();
            compiler
                .compile_all(&built)
                .map_err(|errors| all_shown(&errors))
        });
        if result.is_ok() && !differences.allows(&case.name, "refused", "*") {
            problems.push(format!("{}: dbt says {}", case.name, error["compile"]));
        }
    }
    verdict(problems, differences.unused(&["refused"]));
}

/// What dbt puts into a configuration where nothing is said.
fn is_default(kind: &str, key: &str, value: &Value) -> bool {
    let text = match key {
        "access" => "protected",
        "on_configuration_change" => "apply",
        "on_schema_change" => "ignore",
        "severity" => "ERROR",
        "fail_calc" => "count(*)",
        "warn_if" | "error_if" => "!= 0",
        "schema" if kind == "test" => "dbt_test__audit",
        "delimiter" => ",",
        "type" if kind == "function" => "scalar",
        "materialized" if kind == "seed" => "seed",
        "materialized" if kind == "test" => "test",
        _ => "",
    };
    match value {
        Value::Null => true,
        Value::String(found) => found == text,
        Value::Array(items) => items.is_empty(),
        Value::Object(map)
            if matches!(
                key,
                "docs" | "contract" | "latest_version_pointer" | "freshness"
            ) =>
        {
            map.iter().all(|(key, value)| {
                value.is_null()
                    || matches!(key.as_str(), "show" | "alias_types") && *value == Value::Bool(true)
                    || key == "enforced" && *value == Value::Bool(false)
                    || is_default(kind, "freshness", value)
            })
        }
        Value::Object(map) => map.is_empty() || key == "snowflake",
        Value::Bool(true) => key == "enabled",
        Value::Number(_) => key == "lookback",
        Value::Bool(false) => false,
    }
}

#[test]
fn nodes_and_their_configs_are_dbts() {
    let differences = Differences::read();
    let mut problems = Vec::new();
    for case in cases() {
        let Some(Value::Object(expected)) = case.expected("nodes.json") else {
            continue;
        };
        let Ok(compiler) = case.compiler(compile_flags(), &[]) else {
            problems.push(format!("{}: does not load", case.name));
            continue;
        };
        let nodes = &compiler.manifest().nodes;
        let mut say = |node: &str, what: &str, want: &Value, got: &Value| {
            if want != got && !differences.allows(&case.name, "config", node) {
                problems.push(format!(
                    "{}: {node}: {what}\n  dbt {want}\n  rwt {got}",
                    case.name
                ));
            }
        };
        let mut ids: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
        ids.extend(nodes.keys().map(|id| id.0.as_str()));
        for id in ids {
            let node = nodes.get(&UniqueId(id.to_owned()));
            let Some(want) = expected.get(id) else {
                say(id, "is a node", &false.into(), &true.into());
                continue;
            };
            let Some(node) = node else {
                say(id, "is a node", &true.into(), &false.into());
                continue;
            };
            let kind = want["resource_type"].as_str().unwrap_or_default();
            let mut got = serde_json::to_value(node).expect("JSON");
            // Rule `package-paths`.
            let (_, inner) = compiler.project().package_of(&node.original_file_path);
            got["original_file_path"] = inner.display().to_string().into();
            for key in [
                "name",
                "package_name",
                "original_file_path",
                "fqn",
                "database",
                "schema",
                "description",
                "resource_type",
                "depends_on",
                "source_name",
            ] {
                if want.get(key).is_some_and(|value| !value.is_null()) {
                    say(id, key, &want[key], &got[key]);
                }
            }
            let identifier = if kind == "source" {
                "identifier"
            } else {
                "alias"
            };
            if !matches!(kind, "exposure" | "unit_test") {
                say(id, "identifier", &want[identifier], &got["identifier"]);
            }
            let sorted = |value: &Value| {
                let mut tags: Vec<String> = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|tag| tag.as_str().unwrap_or_default().to_owned())
                    .collect();
                tags.sort();
                tags.dedup();
                Value::from(tags)
            };
            say(id, "tags", &sorted(&want["tags"]), &sorted(&got["tags"]));
            for (name, column) in want["columns"].as_object().into_iter().flatten() {
                say(
                    id,
                    name,
                    &column["description"],
                    &got["columns"][name]["description"],
                );
                say(
                    id,
                    name,
                    &column["data_type"],
                    &got["columns"][name]["data_type"],
                );
            }
            let config = want["config"].as_object().cloned().unwrap_or_default();
            let own = got["config"].as_object().cloned().unwrap_or_default();
            let keys: BTreeSet<&String> = config.keys().chain(own.keys()).collect();
            for key in keys {
                let want = config.get(key).unwrap_or(&Value::Null);
                let got = own.get(key).unwrap_or(&Value::Null);
                if is_default(kind, key, want) && (is_default(kind, key, got)) {
                    continue;
                }
                let what = format!("config.{key}");
                match key.as_str() {
                    "tags" => say(id, &what, &sorted(want), &sorted(got)),
                    "pre-hook" | "post-hook" => say(id, &what, &hooks(want), &hooks(got)),
                    _ => say(id, &what, want, got),
                }
            }
        }
    }
    verdict(problems, differences.unused(&["config"]));
}

/// Hooks as dbt keeps them: `{sql, transaction, index}`.
fn hooks(value: &Value) -> Value {
    let hooks = value
        .as_array()
        .into_iter()
        .flatten()
        .map(|hook| match hook {
            Value::Object(map) => serde_json::json!({
                "sql": map["sql"],
                "transaction": map.get("transaction").cloned().unwrap_or(Value::Bool(true)),
            }),
            text => serde_json::json!({"sql": text, "transaction": true}),
        });
    hooks.collect()
}

#[test]
fn selectors_are_dbts() {
    let differences = Differences::read();
    let mut problems = Vec::new();
    let mut compared = 0;
    for case in cases() {
        let Some(Value::Array(answers)) = case.expected("ls.json") else {
            continue;
        };
        let Ok(compiler) = case.compiler(compile_flags(), &[]) else {
            problems.push(format!("{}: does not load", case.name));
            continue;
        };
        for answer in answers {
            let texts = |value: &Value| -> Vec<String> {
                let items = value.as_array().into_iter().flatten();
                items
                    .map(|item| item.as_str().unwrap_or_default().to_owned())
                    .collect()
            };
            let args = texts(&answer["args"]);
            let shown = args.join(" ");
            let (mut select, mut exclude, mut types, mut output) =
                (Vec::new(), Vec::new(), Vec::new(), "selector");
            let mut named = None;
            for pair in args.chunks(2) {
                let [key, value] = pair else {
                    panic!("{shown}")
                };
                match key.as_str() {
                    "--select" => select.push(value.clone()),
                    "--exclude" => exclude.push(value.clone()),
                    "--selector" => named = Some(value.clone()),
                    "--resource-type" => types.push(value.clone()),
                    "--output" => output = if value == "path" { "path" } else { "name" },
                    other => panic!("{other}"),
                }
            }
            compared += 1;
            let want = if answer["found"].is_null() {
                vec!["error".to_owned()]
            } else {
                texts(&answer["found"])
            };
            let (manifest, dag) = (compiler.manifest(), compiler.dag());
            let chosen: Result<BTreeSet<UniqueId>, Vec<String>> = match named {
                Some(name) => NamedSelectors::load(&case.dir)
                    .map_err(|errors| errors.iter().map(ToString::to_string).collect())
                    .and_then(|named| {
                        named
                            .resolve(&name, manifest, dag)
                            .map_err(|error| vec![error.to_string()])
                    }),
                None => Selection::parse(&select, &exclude)
                    .map(|selection| selection.resolve(manifest, dag).nodes)
                    .map_err(|errors| errors.iter().map(ToString::to_string).collect()),
            };
            let got = match chosen {
                Err(_) => vec!["error".to_owned()],
                Ok(chosen) => {
                    let nodes = chosen.iter().filter_map(|id| manifest.nodes.get(id));
                    let nodes = nodes.filter(|node| {
                        types.is_empty()
                            || types.iter().any(|word| word == node.resource_type.word())
                    });
                    let mut lines: Vec<String> = nodes.map(|node| node.listed(output)).collect();
                    lines.sort();
                    lines
                }
            };
            if want != got && !differences.allows(&case.name, "ls", &shown) {
                problems.push(format!(
                    "{}: ls {shown}\n  dbt {want:?}\n  rwt {got:?}",
                    case.name
                ));
            }
        }
    }
    println!("{compared} selections compared");
    verdict(problems, differences.unused(&["ls"]));
}

/// Statements of a recorded message, without what the rules let through.
fn recorded(messages: &Value, run: &str) -> Vec<String> {
    let mut out = Vec::new();
    for message in messages.as_array().into_iter().flatten() {
        let message = message.as_str().unwrap_or_default();
        let pieces = rwt_sql::split_script(message).expect("a script");
        out.extend(pieces.iter().map(|piece| folded(piece.text)));
    }
    normal(out, run)
}

/// Applies the rules to a list of statements.
fn normal(statements: Vec<String>, run: &str) -> Vec<String> {
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    let mut out: Vec<String> = Vec::new();
    for statement in statements {
        let mut statement = stable(&statement);
        if statement.starts_with("drop ") {
            statement = statement.trim_end_matches(" cascade").to_owned();
        }
        let lower = statement.to_lowercase();
        if statement.is_empty()
            || lower.starts_with("wait") && out.last().is_some_and(|last| last == "wait")
        {
            continue;
        }
        // Rule `drops`.
        if run == "full_refresh" && lower.starts_with("drop ") && lower.contains(" if exists ") {
            continue;
        }
        // Rule `seed-checks`.
        let asks_for_cells = lower.starts_with("select cast(") && lower.contains(" as seed(");
        if lower.starts_with("explain insert into ") || asks_for_cells {
            continue;
        }
        // Rule `settings`.
        if let Some(setting) = lower.strip_prefix("set ") {
            let (name, value) = setting.split_once([' ', '=']).unwrap_or((setting, ""));
            let value = value.trim_start_matches(['=', ' ']);
            if value == "to default" || settings.get(name).is_some_and(|before| before == value) {
                continue;
            }
            settings.insert(name.to_owned(), value.to_owned());
        }
        // Rule `wait`.
        out.push(if lower.starts_with("wait") {
            "wait".to_owned()
        } else {
            statement
        });
    }
    out
}

/// Names made from the time, as the recorder writes them.
fn stable(statement: &str) -> String {
    let mut out = String::new();
    let mut rest = statement;
    while let Some(at) = rest.find("__dbt_tmp") {
        let (before, behind) = rest.split_at(at + "__dbt_tmp".len());
        out.push_str(before);
        let stamp = behind.strip_prefix('_').unwrap_or(behind);
        let left = stamp.trim_start_matches(|c: char| c.is_ascii_digit());
        rest = match left.len() < stamp.len() {
            true => {
                out.push_str("STAMP");
                left
            }
            false => behind,
        };
    }
    out + rest
}

/// Statements without the schemas that dbt makes of itself, whose names are in quotes.
fn own(mut statements: Vec<String>) -> Vec<String> {
    statements.retain(|sql| !sql.starts_with("create schema if not exists \""));
    statements
}

/// Materializations that rwt does not touch again where they exist: rule `unchanged`.
fn kept(materialized: &str) -> bool {
    [
        "view",
        "materialized_view",
        "materializedview",
        "table",
        "source",
        "sink",
        "table_with_connector",
        "connection",
        "secret",
        "subscription",
        "function",
    ]
    .contains(&materialized)
}

/// Takes a node, dbt's statements and rwt's.
type Say<'a> = dyn FnMut(&str, &[String], &[String]) + 'a;

#[test]
fn statements_are_dbts() {
    let differences = Differences::read();
    let mut problems = Vec::new();
    let runs = ["first", "second", "full_refresh", "zero_downtime"];
    for case in cases() {
        let Some(expected) = case.expected("runs.json").filter(|_| !case.has_comments()) else {
            continue;
        };
        let mut replica = case.replica();
        for run in runs {
            let Some(want) = expected.get(run) else {
                continue;
            };
            let flags = Flags {
                full_refresh: run == "full_refresh",
                command: if case.spec["build"] == true {
                    "build"
                } else {
                    "run"
                }
                .to_owned(),
                event_time: case.event_time(),
                ..Flags::default()
            };
            let vars: &[(&str, Value)] = match run {
                "zero_downtime" => &[("zero_downtime", Value::Bool(true))],
                _ => &[],
            };
            let compiler = match case.compiler(flags, vars) {
                Ok(compiler) => compiler,
                Err(error) => {
                    problems.push(format!("{}: does not load for {run}:\n{error}", case.name));
                    break;
                }
            };
            let mut say = |node: &str, want: &[String], got: &[String]| {
                if want != got && !differences.allows(&case.name, run, node) {
                    problems.push(format!(
                        "{} {run}: {node}\n--- dbt\n{}\n--- rwt\n{}\n---",
                        case.name,
                        want.join("\n"),
                        got.join("\n")
                    ));
                }
            };
            let package = compiler.project().name().to_owned();
            let hook =
                |when: When, outcomes: &[RunResult], replica: &mut Replica, say: &mut Say<'_>| {
                    let done = match when {
                        When::Start => compiler.run_hooks(when, replica),
                        When::End => compiler.run_end_hooks(outcomes, replica),
                    };
                    let mut sent = std::mem::take(&mut replica.sent);
                    if let Err(error) = done {
                        sent.push(shown(&error));
                    }
                    let prefix = format!("operation.{package}.{package}-{}-", when.key());
                    let mut wanted = Vec::new();
                    // What macros of hooks send while dbt renders them belongs to no node there.
                    if when == When::Start {
                        wanted.extend(own(recorded(&want["statements"][""], run)));
                    }
                    let recorded_hooks = want["statements"].as_object().into_iter().flatten();
                    for (_, messages) in recorded_hooks.filter(|(id, _)| id.starts_with(&prefix)) {
                        wanted.extend(recorded(messages, run));
                    }
                    say(when.key(), &wanted, &normal(sent, run));
                };
            let mut outcomes = Vec::new();
            hook(When::Start, &[], &mut replica, &mut say);
            for id in compiler.order() {
                let node = &compiler.manifest().nodes[&id];
                if !compiler.is_built(&id) {
                    continue;
                }
                let existed = replica
                    .relations
                    .contains_key(&(node.schema.clone(), node.identifier.clone()));
                if run == "full_refresh"
                    && kept(&node.materialized)
                    && node.config.get("full_refresh") != Some(&Value::Bool(false))
                {
                    replica
                        .relations
                        .remove(&(node.schema.clone(), node.identifier.clone()));
                }
                let done = compiler.materialize(&id, &mut replica);
                outcomes.push(RunResult {
                    unique_id: id.0.clone(),
                    status: if done.is_ok() { "success" } else { "error" }.to_owned(),
                    ..RunResult::default()
                });
                let sent = normal(std::mem::take(&mut replica.sent), run);
                let error = want["errors"][&id.0].as_str();
                match (done, error) {
                    (Err(ours), Some(theirs)) => {
                        // What a macro raises is its text; what the machinery finds wrong, each says in its own words.
                        let raised = ours
                            .code()
                            .is_some_and(|code| code.to_string() == "rwt::jinja::raised");
                        let ours = folded(&ours.to_string());
                        let theirs = folded(theirs);
                        let agree = !raised || theirs.contains(&ours);
                        if !agree && !differences.allows(&case.name, "error", &id.0) {
                            say(&id.0, &[theirs], &[ours]);
                        }
                        continue;
                    }
                    (Err(ours), None) => {
                        say(
                            &id.0,
                            &recorded(&want["statements"][&id.0], run),
                            &[shown(&ours)],
                        );
                        continue;
                    }
                    (Ok(_), Some(theirs)) => {
                        say(&id.0, &[format!("error: {theirs}")], &sent);
                        continue;
                    }
                    (Ok(_), None) => {}
                }
                // What its text asks is asked before it is known that nothing has changed.
                let only_asks = sent.iter().all(|sql| sql.starts_with("select"));
                if existed && only_asks && kept(&node.materialized) {
                    continue;
                }
                say(&id.0, &recorded(&want["statements"][&id.0], run), &sent);
            }
            hook(When::End, &outcomes, &mut replica, &mut say);
        }
    }
    verdict(problems, differences.unused(&runs));
}

/// The comments that go with statements; [`Case::has_comments`] cases keep them in their recording.
#[test]
fn query_comments_are_dbts() {
    let differences = Differences::read();
    let mut problems = Vec::new();
    for case in cases().iter().filter(|case| case.has_comments()) {
        let expected = case.expected("runs.json").expect("a recording");
        let flags = Flags {
            command: "run".to_owned(),
            ..Flags::default()
        };
        let compiler = match case.compiler(flags, &[]) {
            Ok(compiler) => compiler,
            Err(error) => {
                problems.push(format!("{}: does not load:\n{error}", case.name));
                continue;
            }
        };
        let text = |sql: &str| {
            folded(&folded(sql).replace("; ", " "))
                .replace(" ;", ";")
                .trim_end_matches(';')
                .trim_end()
                .to_owned()
        };
        let mut replica = case.replica();
        let mut got: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut say = |id: Option<&UniqueId>, key: &str, sent: Vec<String>| {
            let comment = compiler.query_comment(id).expect("a comment");
            let on = |sql: &String| {
                comment
                    .as_ref()
                    .map_or_else(|| sql.clone(), |comment| comment.on(sql))
            };
            let sent: Vec<String> = sent.iter().map(|sql| text(&on(sql))).collect();
            if !sent.is_empty() {
                got.insert(key.to_owned(), sent);
            }
        };
        compiler
            .run_hooks(When::Start, &mut replica)
            .expect("hooks");
        say(
            None,
            "operation.shop.shop-on-run-start-0",
            std::mem::take(&mut replica.sent),
        );
        for id in compiler.objects() {
            compiler.materialize(&id, &mut replica).expect("builds");
            say(Some(&id), &id.0, std::mem::take(&mut replica.sent));
        }
        let mut want: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (id, messages) in expected["first"]["statements"]
            .as_object()
            .expect("statements")
        {
            let messages = messages.as_array().expect("a list").iter();
            let messages = messages.map(|message| text(message.as_str().expect("text")));
            want.insert(id.clone(), messages.collect());
        }
        if want != got && !differences.allows(&case.name, "comment", "*") {
            problems.push(format!(
                "{}\n--- dbt\n{want:#?}\n--- rwt\n{got:#?}",
                case.name
            ));
        }
    }
    verdict(problems, differences.unused(&["comment"]));
}
