//! What other programs read: the artifacts against dbt's own schemas, as the parser of the real dbt, and in dagster-dbt.
//!
//! | Variable | Names | Without it |
//! |---|---|---|
//! | `RWT_PYTHON` | an interpreter with `tests/python-requirements.txt` | schemas are not checked |
//! | `RWT_DBT_PYTHON` | the one that `tests/conformance/record.py` makes | dbt does not run with rwt as its parser |
//! | `RWT_DAGSTER_PYTHON` | one with dagster-dbt, dbt-core and python-dateutil | dagster does not read the manifest |

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Finished, Place, finish, repository};

/// Runs a script of `tests/artifacts`, if the variable names an interpreter.
fn python(variable: &str, script: &str, arguments: &[&str]) -> Option<Finished> {
    let Ok(interpreter) = std::env::var(variable) else {
        eprintln!("{variable} is not set: {script} does not run");
        return None;
    };
    let running = Command::new(&interpreter)
        .arg(repository().join("tests/artifacts").join(script))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{interpreter}: {error}"));
    Some(finish(running))
}

fn valid(pairs: &[(&Path, &str)]) {
    let schemas = repository().join("tests/conformance/schemas");
    let mut arguments = vec![schemas.display().to_string()];
    arguments.extend(
        pairs
            .iter()
            .map(|(path, schema)| format!("{}={schema}", path.display())),
    );
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let Some(finished) = python("RWT_PYTHON", "validate.py", &arguments) {
        finished.exits_with(0);
    }
}

fn read(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_run_leaves_valid_artifacts() {
    let place = Place::example();
    place.up();
    place.ok(&["run"]);
    let docs = place.ok(&["docs", "generate", "--output", "json"]).json();
    let target = place.path().join("target");
    let path = |name: &str| target.join(name);
    valid(&[
        (&path("manifest.json"), "manifest-v12"),
        (&path("run_results.json"), "run-results-v6"),
        (&path("catalog.json"), "catalog-v1"),
    ]);

    let manifest = read(&path("manifest.json"));
    let funnel = &manifest["nodes"]["model.realtime_funnel.funnel"];
    assert!(
        funnel["compiled_code"].as_str().unwrap().contains("from"),
        "{funnel}"
    );
    let parents = &manifest["parent_map"]["model.realtime_funnel.funnel"];
    assert_eq!(parents, &funnel["depends_on"]["nodes"]);

    let results = read(&path("run_results.json"));
    let of_funnel = results["results"].as_array().unwrap().iter();
    let of_funnel: Vec<&Value> = of_funnel
        .filter(|result| result["unique_id"] == "model.realtime_funnel.funnel")
        .collect();
    assert_eq!(of_funnel.len(), 1);
    assert_eq!(of_funnel[0]["status"], "success");
    assert_eq!(of_funnel[0]["relation_name"], funnel["relation_name"]);
    assert_eq!(of_funnel[0]["compiled_code"], funnel["compiled_code"]);

    let catalog = read(&path("catalog.json"));
    assert_eq!(docs["missing"], json!([]));
    let table = &catalog["nodes"]["model.realtime_funnel.funnel"];
    assert_eq!(table["metadata"]["type"], "MATERIALIZED VIEW");
    let columns = table["columns"].as_object().unwrap();
    let places: BTreeSet<u64> = columns
        .values()
        .map(|column| column["index"].as_u64().unwrap())
        .collect();
    assert_eq!(places, (1..=columns.len() as u64).collect());
}

#[test]
fn parse_writes_a_manifest_and_starts_nothing() {
    let place = Place::example();
    let report = place.ok(&["parse", "--output", "json"]).json();
    assert_eq!(report["nodes"]["model"], 28);
    assert_eq!(report["errors"], json!([]));
    assert!(!place.data_dir().exists());
    let path = place.path().join("target/manifest.json");
    valid(&[(&path, "manifest-v12")]);
    let Some(read) = python(
        "RWT_DAGSTER_PYTHON",
        "read_with_dagster.py",
        &[path.to_str().unwrap()],
    ) else {
        return;
    };
    let read = read.exits_with(0);
    let funnel = read
        .stdout
        .lines()
        .find(|line| line.starts_with("public/funnel <-"));
    let above = "public/funnel <- public/src_cart, public/src_page, public/src_purchase";
    assert_eq!(funnel, Some(above), "{}", read.stdout);
}

#[test]
fn parse_tells_all_that_is_wrong() {
    let place = Place::fixture("many_mistakes");
    let report = place
        .rwt(&["parse", "--output", "json"])
        .exits_with(1)
        .json();
    let errors = report["errors"].as_array().unwrap();
    let shown: Vec<String> = errors
        .iter()
        .map(|error| {
            let text = |key: &str| error[key].as_str().unwrap_or("-").to_owned();
            format!("{}:{} {}", text("file"), error["line"], text("code"))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "models/broken.yml:3 rwt::yaml::syntax",
            "models/schema.yml:2 rwt::yaml::missing_key",
            "models/two.sql:1 rwt::jinja::syntax",
            "models/one.sql:2 rwt::jinja::unknown_macro",
        ],
        "{errors:#?}"
    );
    assert!(!place.path().join("target/manifest.json").exists());
    let people = place.rwt(&["parse"]).exits_with(1);
    assert!(
        people.stderr.contains("models/two.sql"),
        "{}",
        people.stderr
    );
    assert!(
        people.stderr.trim_end().ends_with("4 errors"),
        "{}",
        people.stderr
    );
    let records = place.rwt(&["parse", "--log-format", "otel", "--log-level-file", "off"]);
    let severities: Vec<Value> = records
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["severity_number"].clone())
        .collect();
    assert_eq!(severities, [17, 17, 17, 17, 9]);
}

#[test]
fn dbt_runs_with_rwt_as_its_parser() {
    let rwt = env!("CARGO_BIN_EXE_rwt");
    let projects = ["basics", "data_tests", "hooks"];
    let mut arguments = vec![rwt];
    arguments.extend(projects);
    if let Some(finished) = python("RWT_DBT_PYTHON", "handoff.py", &arguments) {
        finished.exits_with(0);
    }
}

#[test]
fn diff_shows_what_has_changed() {
    let place = Place::example();
    let state = place.path().join("state");
    let state = state.to_str().unwrap();
    place.ok(&["compile"]);
    fs::create_dir(state).unwrap();
    let manifest = place.path().join("target/manifest.json");
    fs::copy(&manifest, Path::new(state).join("manifest.json")).unwrap();
    let same = place.ok(&["diff", "--state", state, "--detailed-exitcode"]);
    assert!(same.stdout.contains("0 changed"), "{}", same.stdout);

    let funnel = place.path().join("models/funnel.sql");
    let text = fs::read_to_string(&funnel).unwrap();
    fs::write(&funnel, format!("{}\n-- one more line\n", text.trim_end())).unwrap();
    fs::write(place.path().join("models/added.sql"), "select 1 as one").unwrap();
    let changed = place.rwt(&["diff", "--state", state, "--detailed-exitcode"]);
    let changed = changed.exits_with(3);
    assert!(
        changed.stdout.contains("+ model added"),
        "{}",
        changed.stdout
    );
    assert!(
        changed.stdout.contains("+-- one more line"),
        "{}",
        changed.stdout
    );
    let report = place
        .ok(&["diff", "--state", state, "--output", "json"])
        .json();
    assert_eq!(
        report["added"][0]["unique_id"],
        "model.realtime_funnel.added"
    );
    assert_eq!(report["changed"][0]["changes"], json!(["body"]));
    assert_eq!(report["changed"].as_array().unwrap().len(), 1);

    let listed = place.ok(&[
        "ls",
        "--select",
        "state:modified",
        "--resource-type",
        "model",
        "--state",
        state,
        "--output",
        "name",
    ]);
    assert_eq!(listed.stdout, "added\nfunnel\n");
    let missing = place
        .rwt(&["ls", "--select", "state:modified"])
        .exits_with(2);
    assert!(
        missing.stderr.contains("rwt::state::missing"),
        "{}",
        missing.stderr
    );
}
