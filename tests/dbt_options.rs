//! dbt's options of what is read (`--empty`, `--sample`, `--defer`) and of what is said (logs, `flags`).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;

use serde_json::Value;
use support::{Finished, Place, finish};

fn write(place: &Place, path: &str, text: &str) {
    let path = place.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The fixture without its sink, with a target for a schema beside.
fn two_schemas() -> Place {
    let place = Place::fixture("change");
    fs::remove_file(place.path().join("models/to_archive.sql")).unwrap();
    let profiles = place.path().join("profiles.yml");
    let text = fs::read_to_string(&profiles).unwrap();
    fs::write(
        &profiles,
        format!("{text}    pr:\n      type: embedded\n      schema: pr\n"),
    )
    .unwrap();
    place.up();
    place
}

fn records(text: &str) -> Vec<Value> {
    let records = text.lines().map(serde_json::from_str);
    records
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn named<'a>(records: &'a [Value], name: &str) -> Vec<&'a Value> {
    let found = records
        .iter()
        .filter(|record| record["info"]["name"] == name);
    found.collect()
}

#[test]
fn what_is_missing_is_built_without_rows_and_what_exists_keeps_its_own() {
    let place = two_schemas();
    place.ok(&["run", "--select", "events"]);
    let sql = place.sql();
    sql.rows("insert into events values (1, 'view', 3)");
    sql.rows("flush");
    let run = place.ok(&["run", "--empty"]);
    assert!(
        run.stderr.contains("Left as they are, because they exist and --empty builds what is missing: \"dev\".\"public\".\"events\""),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("and not whole: "), "{}", run.stderr);
    assert_eq!(sql.column("select count(*) from events"), ["1"]);
    assert_eq!(sql.column("select count(*) from totals"), ["0"]);
    let definition =
        sql.column("select definition from rw_catalog.rw_materialized_views where name = 'totals'");
    assert!(
        definition[0].to_lowercase().contains("where false limit 0"),
        "{definition:?}"
    );
    // Who runs again without the option is told, and gets the rows.
    let plan = place.rwt(&["plan", "--detailed-exitcode"]).exits_with(3);
    assert!(
        plan.stdout
            .contains("where false limit 0) _dbt_limit_subq_events"),
        "{}",
        plan.stdout
    );
    place.ok(&["run"]);
    assert_eq!(
        sql.column("select kind || ' ' || total from totals"),
        ["view 3"]
    );
    // Nothing that holds rows is made empty.
    let refused = place
        .rwt(&["run", "--empty", "--full-refresh"])
        .exits_with(1);
    assert!(
        refused
            .stderr
            .contains("would put relations without their rows"),
        "{}",
        refused.stderr
    );
    let again = place.ok(&["build", "--empty"]);
    assert!(
        again.stderr.contains("Left as they are"),
        "{}",
        again.stderr
    );
    assert_eq!(
        sql.column("select kind || ' ' || total from totals"),
        ["view 3"]
    );
}

#[test]
fn compiled_files_are_of_all_rows() {
    let place = Place::fixture("change");
    place.ok(&["compile"]);
    let script = || fs::read_to_string(place.path().join("compiled/all_models.sql")).unwrap();
    let before = script();
    let shown = place.ok(&["compile", "--empty", "--select", "totals"]);
    let text = "select kind, sum(n) as total from (select * from \"dev\".\"public\".\"events\" where false limit 0) _dbt_limit_subq_events group by kind";
    assert!(shown.stdout.contains(text), "{}", shown.stdout);
    place.ok(&["compile", "--empty"]);
    assert_eq!(script(), before);
    let beside =
        fs::read_to_string(place.path().join("target/compiled/models/totals.sql")).unwrap();
    assert_eq!(beside.trim(), text);
    let wrong = place.rwt(&["compile", "--sample", "3 weeks"]).exits_with(2);
    assert!(
        wrong
            .stderr
            .contains("`weeks` is none of hour, day, month, year"),
        "{}",
        wrong.stderr
    );
    place.rwt(&["plan", "--empty"]).exits_with(2);
}

#[test]
fn a_sample_is_a_span_of_event_time() {
    let place = Place::fixture("change");
    write(
        &place,
        "models/events.sql",
        "{{ config(materialized='table_with_connector', event_time='at') }}\n\
         create table {{ this }} (id int primary key, kind varchar, n int, at timestamp)",
    );
    place.up();
    place.ok(&["run", "--select", "events"]);
    let sql = place.sql();
    sql.rows("insert into events values (1, 'old', 1, '2024-04-30'), (2, 'in', 2, '2024-05-01'), (3, 'new', 3, '2024-05-03')");
    sql.rows("flush");
    let window = "{start: '2024-05-01', end: '2024-05-03'}";
    place.ok(&["run", "--select", "totals", "--sample", window]);
    assert_eq!(sql.column("select kind from totals"), ["in"]);
    place.ok(&["run", "--select", "totals"]);
    assert_eq!(
        sql.column("select kind from totals order by 1"),
        ["in", "new", "old"]
    );
}

#[test]
fn what_is_not_here_is_read_where_another_manifest_has_it() {
    let place = two_schemas();
    let state = place.path().join("state");
    place.ok(&["run"]);
    fs::create_dir(&state).unwrap();
    fs::copy(
        place.path().join("target/manifest.json"),
        state.join("manifest.json"),
    )
    .unwrap();
    let sql = place.sql();
    sql.rows("insert into events values (1, 'view', 3)");
    sql.rows("flush");
    let state = state.to_str().unwrap();
    let defer = ["--target", "pr", "--defer", "--state", state];
    let with = |arguments: &[&'static str]| -> Finished {
        let all: Vec<&str> = arguments.iter().chain(&defer).copied().collect();
        place.ok(&all)
    };
    // Selected models read each other, and what is not selected where it is.
    with(&["run", "--select", "totals", "top"]);
    assert_eq!(
        sql.column("select kind || ' ' || total from pr.top"),
        ["view 3"]
    );
    let views =
        sql.column("select definition from rw_catalog.rw_views where name = 'top' order by 1");
    assert!(
        views
            .iter()
            .any(|text| text.contains("pr.totals") || text.contains("\"pr\".\"totals\"")),
        "{views:?}"
    );
    assert_eq!(
        sql.column("select count(*) from rw_catalog.rw_tables where name = 'events'"),
        ["1"]
    );
    // What is there is read there, unless the other one is favoured.
    let shown = with(&["compile", "--select", "report", "totals"]);
    assert!(
        shown.stdout.contains("from \"dev\".\"pr\".\"top\""),
        "{}",
        shown.stdout
    );
    assert!(
        shown
            .stdout
            .contains("from \"dev\".\"public\".\"events\" group"),
        "{}",
        shown.stdout
    );
    let shown = with(&["compile", "--select", "report", "--favor-state"]);
    assert!(
        shown.stdout.contains("from \"dev\".\"public\".\"top\""),
        "{}",
        shown.stdout
    );
    let shown = with(&["show", "--select", "report"]);
    assert!(shown.stdout.contains('3'), "{}", shown.stdout);
    write(
        &place,
        "tests/some.sql",
        "select * from {{ ref('events') }} where n > 3",
    );
    let tested = with(&["test", "--select", "some"]);
    assert!(tested.stdout.contains("PASS=1"), "{}", tested.stdout);
    let unsaid = place.rwt(&["compile", "--defer"]).exits_with(2);
    assert!(
        unsaid.stderr.contains("--defer-state DIR"),
        "{}",
        unsaid.stderr
    );
}

#[test]
fn records_of_a_run_have_dbts_events() {
    let place = Place::fixture("change");
    write(
        &place,
        "tests/one.sql",
        "select * from {{ ref('events') }} where n < 0",
    );
    write(
        &place,
        "models/broken.sql",
        "select 1 / 0 as a from nowhere",
    );
    place.up();
    let ran = place
        .rwt(&[
            "--log-format",
            "json",
            "--log-level",
            "debug",
            "build",
            "--select",
            "events",
            "one",
            "broken",
        ])
        .exits_with(1);
    assert_eq!(ran.stderr, "");
    let records = records(&ran.stdout);
    assert_eq!(records[0]["info"]["name"], "MainReportVersion");
    assert_eq!(records.last().unwrap()["info"]["name"], "CommandCompleted");
    assert_eq!(records.last().unwrap()["data"]["success"], false);
    let id = &records[0]["info"]["invocation_id"];
    assert!(
        records
            .iter()
            .all(|record| &record["info"]["invocation_id"] == id)
    );
    let results: Value =
        serde_json::from_slice(&fs::read(place.path().join("target/run_results.json")).unwrap())
            .unwrap();
    assert_eq!(&results["metadata"]["invocation_id"], id);

    for id in ["model.shop.events", "model.shop.broken", "test.shop.one"] {
        let of: Vec<&str> = records
            .iter()
            .filter(|record| record["data"]["node_info"]["unique_id"] == id)
            .filter_map(|record| record["info"]["name"].as_str())
            .collect();
        let result = if id.starts_with("test") {
            "LogTestResult"
        } else {
            "LogModelResult"
        };
        assert_eq!(
            of,
            ["NodeStart", "LogStartLine", result, "NodeFinished"],
            "{id}"
        );
    }
    let finished = named(&records, "NodeFinished");
    let of = |id: &str| {
        let found = finished
            .iter()
            .find(|record| record["data"]["node_info"]["unique_id"] == id);
        found.unwrap_or_else(|| panic!("{id}"))["data"].clone()
    };
    let events = of("model.shop.events");
    assert_eq!(events["run_result"]["status"], "success");
    assert_eq!(events["run_result"]["message"], "CREATE_TABLE");
    assert_eq!(
        events["node_info"]["node_relation"]["relation_name"],
        "\"dev\".\"public\".\"events\""
    );
    assert_eq!(events["node_info"]["node_status"], "success");
    let time = |name: &str| events["node_info"][name].as_str().map(str::to_owned);
    assert!(
        time("node_started_at") <= time("node_finished_at"),
        "{events}"
    );
    assert!(
        time("node_started_at").is_some_and(|time| time.starts_with("20")),
        "{events}"
    );
    assert_eq!(of("model.shop.broken")["run_result"]["status"], "error");
    assert_eq!(of("test.shop.one")["run_result"]["status"], "pass");
    let stats = &named(&records, "StatsLine")[0]["data"]["stats"];
    assert_eq!(
        (&stats["pass"], &stats["error"], &stats["total"]),
        (&2.into(), &1.into(), &3.into())
    );
}

#[test]
fn a_log_is_written_where_one_is_asked_for() {
    let place = Place::fixture("change");
    let logs = place.path().join("said");
    let listed = place.ok(&[
        "ls",
        "--log-path",
        logs.to_str().unwrap(),
        "--log-format-file",
        "json",
        "--log-level-file",
        "info",
    ]);
    assert!(listed.stdout.contains("shop.totals"), "{}", listed.stdout);
    let written = records(&fs::read_to_string(logs.join("dbt.log")).unwrap());
    assert!(
        named(&written, "PrintEvent")
            .iter()
            .any(|record| record["info"]["msg"] == "shop.totals")
    );
    assert!(named(&written, "CommandCompleted").is_empty());
    assert!(!place.path().join("logs").exists());
    let child = place
        .command(&["ls"])
        .env("DBT_ENGINE_LOG_PATH", &logs)
        .env("DBT_LOG_PATH", "elsewhere")
        .spawn()
        .unwrap();
    finish(child).exits_with(0);
    let written = fs::read_to_string(logs.join("dbt.log")).unwrap();
    assert!(
        written.contains("[info ] [MainThread]: shop.totals"),
        "{written}"
    );
}

#[test]
fn what_a_macro_prints_is_a_result() {
    let place = Place::fixture("change");
    write(
        &place,
        "macros/say.sql",
        "{% macro say() %}{{ print('printed') }}{{ log('logged', info=True) }}{% endmacro %}",
    );
    place.up();
    let said = place.ok(&["--quiet", "run-operation", "say"]);
    assert_eq!(
        (said.stdout.as_str(), said.stderr.as_str()),
        ("printed\n", "")
    );
    let said = place.ok(&["--no-print", "run-operation", "say"]);
    assert_eq!(said.stdout, "");
    assert!(said.stderr.contains("logged"), "{}", said.stderr);
    let child = place
        .command(&["run-operation", "say"])
        .env("DBT_PRINT", "false")
        .spawn()
        .unwrap();
    assert_eq!(finish(child).exits_with(0).stdout, "");
}

#[test]
fn flags_of_the_project_file_hold_where_nothing_else_is_said() {
    let place = Place::fixture("change");
    let path = place.path().join("project.yml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        format!("{text}flags:\n  log_format: json\n  warn_error: true\n  write_json: false\n"),
    )
    .unwrap();
    let listed = place.ok(&["ls"]);
    assert!(
        records(&listed.stdout)
            .iter()
            .any(|record| record["info"]["msg"] == "shop.totals")
    );
    place.ok(&["parse"]);
    assert!(!place.path().join("target/manifest.json").exists());
    place.ok(&["parse", "--write-json"]);
    assert!(place.path().join("target/manifest.json").exists());
    write(
        &place,
        "models/totals.yml",
        "models:\n  - name: totals\n    config: {materialised: view}\n",
    );
    place.rwt(&["ls"]).exits_with(1);
    let listed = place.ok(&["ls", "--no-warn-error", "--log-format", "text"]);
    assert!(listed.stdout.contains("shop.totals\n"), "{}", listed.stdout);
    place
        .rwt(&["ls", "--warn-error-options", "{error: all}"])
        .exits_with(1);
    let refused = place
        .rwt(&[
            "ls",
            "--warn-error-options",
            "{error: [NoNodesForSelectionCriteria]}",
        ])
        .exits_with(2);
    assert!(
        refused.stdout.contains("other names than dbt's events"),
        "{}",
        refused.stdout
    );
}

#[test]
fn a_model_that_is_to_go_is_warned_of() {
    let place = Place::fixture("change");
    let date = |text: &str| {
        write(
            &place,
            "models/totals.yml",
            &format!("models:\n  - name: totals\n    deprecation_date: {text}\n"),
        );
    };
    date("2020-01-01 00:00:00+00:00");
    let warned = place.ok(&["ls", "--log-format", "json"]).stdout;
    for part in [
        "Model totals has passed its deprecation date of 2020-01-01T00:00:00+00:00",
        "While compiling 'top': Found a reference to totals, which was deprecated on '2020-01-01T00:00:00+00:00'",
    ] {
        assert!(warned.contains(part), "{warned}");
    }
    date("2999-01-01 00:00:00+00:00");
    let warned = place.ok(&["ls"]).stderr;
    assert!(warned.contains("is slated for deprecation on"), "{warned}");
    assert!(!warned.contains("has passed"), "{warned}");
    date("soon");
    let refused = place.rwt(&["ls"]).exits_with(1);
    assert!(
        refused
            .stderr
            .contains("the deprecation_date of totals is `soon`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_text_that_the_database_refuses_stops_what_hangs_on_it_alone() {
    let place = Place::fixture("change");
    write(
        &place,
        "models/asks.sql",
        "{% set found = run_query('select * from nowhere') %}\nselect {{ found.rows | length }} as n",
    );
    write(
        &place,
        "models/below.sql",
        "select * from {{ ref('asks') }}",
    );
    write(
        &place,
        "tests/of_asks.sql",
        "select * from {{ ref('asks') }} where n < 0",
    );
    write(
        &place,
        "tests/of_events.sql",
        "select * from {{ ref('events') }} where n < 0",
    );
    place.up();
    for command in ["run", "build"] {
        let ran = place.rwt(&[command]).exits_with(1);
        assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
        assert!(ran.stderr.contains("asks.sql:1"), "{}", ran.stderr);
        let results: Value = serde_json::from_slice(
            &fs::read(place.path().join("target/run_results.json")).unwrap(),
        )
        .unwrap();
        let status = |id: &str| {
            let results = results["results"].as_array().unwrap();
            let found: Vec<&Value> = results
                .iter()
                .filter(|result| result["unique_id"] == id)
                .collect();
            assert_eq!(found.len(), 1, "{id}: {results:#?}");
            found[0]["status"].as_str().unwrap().to_owned()
        };
        assert_eq!(status("model.shop.asks"), "error");
        assert_eq!(status("model.shop.below"), "skipped");
        assert_eq!(status("model.shop.totals"), "success");
        if command == "build" {
            assert_eq!(status("test.shop.of_asks"), "skipped");
            assert_eq!(status("test.shop.of_events"), "pass");
        }
    }
    assert_eq!(place.sql().column("select count(*) from totals"), ["0"]);
    // Who plans sees what is wrong.
    let planned = place.rwt(&["plan"]).exits_with(1);
    assert!(planned.stderr.contains("nowhere"), "{}", planned.stderr);
}

#[test]
fn configurations_of_tests_and_sources_are_of_their_type() {
    let place = Place::fixture("change");
    let refused = |file: &str, text: &str, wants: &[&str]| {
        write(&place, file, text);
        let refused = place.rwt(&["ls"]).exits_with(1);
        for part in wants {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        fs::remove_file(place.path().join(file)).unwrap();
    };
    refused(
        "models/totals.yml",
        "models:\n  - name: totals\n    columns:\n      - name: kind\n        data_tests:\n          - not_null:\n              config:\n                severity: sometimes\n",
        &[
            "the config `severity` is \"sometimes\"",
            "error or warn",
            "totals.yml:8",
        ],
    );
    refused(
        "tests/one.sql",
        "select 1\n-- {{ config(limit='some') }}\n",
        &[
            "test one: the config `limit` is \"some\"",
            "a whole number",
            "one.sql:2",
        ],
    );
    refused(
        "models/raw.yml",
        "sources:\n  - name: raw\n    tables:\n      - name: clicks\n        config:\n          meta: none\n",
        &[
            "source table clicks: the config `meta` is \"none\"",
            "a mapping",
            "raw.yml:6",
        ],
    );
    place.ok(&["ls"]);
}
