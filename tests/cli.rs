//! The commands as a user meets them: exit codes, what is printed, and what is left behind.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use support::sql::Sql;
use support::{Finished, Place, finish, repository, rwt, topics};

/// Runs `rwt` on a project under `tests/fixtures`, in place.
fn on_fixture(name: &str, arguments: &[&str]) -> Finished {
    let command = rwt()
        .current_dir(repository())
        .env("HOME", repository().join("tests/fixtures"))
        .args(arguments)
        .args(["--project-dir", &format!("tests/fixtures/{name}")])
        .spawn();
    finish(command.unwrap())
}

/// What differs between machines and runs, out of a text.
fn stable(text: &str, place: &Path) -> String {
    let mut text = text.to_owned();
    for folder in [place, repository()] {
        text = text.replace(&format!("{}/", folder.display()), "");
        text = text.replace(folder.to_str().unwrap(), ".");
    }
    text
}

macro_rules! assert_shown {
    ($name:expr, $text:expr) => {
        insta::with_settings!({filters => vec![
            (r"in \d+\.\d\ds", "in [time]"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
            (r"port \d+", "port [port]"),
            (r":\d{5}'", ":[port]'"),
            (r"process \d+", "process [id]"),
        ]}, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

macro_rules! diagnostics {
    ($($name:ident exits with $code:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let shown = on_fixture(stringify!($name), &["compile"]).exits_with($code);
                assert_eq!(shown.stdout, "");
                assert_shown!(stringify!($name), stable(&shown.stderr, repository()));
            }
        )*
    };
}

// 2 is for what is wrong before the work begins: files that are no project, a profile or target that is not there.
diagnostics! {
    unknown_ref exits with 1;
    cycle exits with 1;
    missing_env_var exits with 1;
    error_in_macro exits with 1;
    unknown_materialization exits with 1;
    duplicate_model exits with 2;
    yaml_error exits with 2;
    missing_profile exits with 2;
    missing_target exits with 2;
}

#[test]
fn an_unknown_config_is_warned_of() {
    let place = Place::fixture("unknown_config");
    let shown = place.ok(&["ls"]);
    assert_shown!("unknown_config", stable(&shown.stderr, place.path()));
    assert_eq!(shown.stdout, "shop.page_views\n");
}

#[test]
fn help_names_every_command() {
    let help = finish(rwt().arg("--help").spawn().unwrap()).exits_with(0);
    assert_shown!("help", help.stdout);
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["no-such-command"][..],
        &["compile", "--no-such-flag"],
        &["compile", "--check", "--select", "funnel"],
        &["produce", "--rate", "0"],
        &["funnel", "--limit", "many"],
        &["compile", "--project-dir", "tests/fixtures/no_such_folder"],
        &["compile", "--target", "no_such_target"],
        &["ls", "--select", "config.:"],
    ] {
        let shown = finish(
            rwt()
                .current_dir(repository())
                .args(arguments)
                .spawn()
                .unwrap(),
        );
        assert_eq!(shown.code(), Some(2), "{arguments:?}: {}", shown.stderr);
        assert!(!shown.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_compiled_example_is_up_to_date() {
    let check = finish(
        rwt()
            .current_dir(repository())
            .args(["compile", "--check"])
            .spawn()
            .unwrap(),
    );
    check.exits_with(0);
}

#[test]
fn a_stale_compiled_folder_is_noticed_and_left_alone() {
    let place = Place::example();
    place.ok(&["compile"]);
    place.ok(&["compile", "--check"]);
    let file = place.path().join("compiled/models/funnel.sql");
    fs::write(&file, "select 1").unwrap();
    fs::write(place.path().join("compiled/models/old.sql"), "select 1").unwrap();
    let shown = place.rwt(&["compile", "--check"]).exits_with(1);
    assert_shown!("compile_check", stable(&shown.stderr, place.path()));
    assert_eq!(fs::read_to_string(&file).unwrap(), "select 1");
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let place = Place::example();
    place.ok(&["compile"]);
    let script = place.path().join("compiled/all_models.sql");
    let first = fs::read(&script).unwrap();
    let again = place.ok(&["compile"]);
    assert!(again.stderr.contains("nothing changed"), "{}", again.stderr);
    assert_eq!(fs::read(&script).unwrap(), first);
}

#[test]
fn models_can_be_listed_and_drawn() {
    let place = Place::example();
    assert_shown!(
        "ls_above_funnel",
        place
            .ok(&[
                "ls",
                "--select",
                "+funnel",
                "tag:iceberg,path:models/iceberg_u*"
            ])
            .stdout
    );
    assert_shown!("graph_text", place.ok(&["graph"]).stdout);
    assert_shown!(
        "graph_dot",
        place
            .ok(&["graph", "--format", "dot", "--select", "+funnel"])
            .stdout
    );
    assert_shown!(
        "graph_mermaid",
        place
            .ok(&["graph", "--format", "mermaid", "--select", "+funnel"])
            .stdout
    );
    let models = ["ls", "--resource-type", "model", "--output", "json"];
    let nodes = place.ok(&models).stdout;
    let is_model = |line: &str| {
        let node: serde_json::Value = serde_json::from_str(line).unwrap();
        node["resource_type"] == "model"
    };
    assert_eq!(nodes.lines().filter(|line| is_model(line)).count(), 28);
}

#[test]
fn a_hook_that_fails_is_an_error_of_the_run() {
    let place = Place::fixture("by_name");
    let file = place.path().join("dbt_project.yml");
    let text = fs::read_to_string(&file).unwrap();
    let hook = "on-run-end: [\"insert into nowhere values (1)\"]\n";
    fs::write(&file, format!("{text}{hook}")).unwrap();
    place.up();
    let first = place.rwt(&["run"]).exits_with(1);
    assert!(
        first.stdout.contains("Completed with 1 error")
            && first
                .stdout
                .contains("PASS=2 WARN=0 ERROR=1 SKIP=0 TOTAL=3"),
        "{}",
        first.stdout
    );
    let second = place.rwt(&["build"]).exits_with(1);
    for shown in [first, second] {
        assert!(
            shown.stderr.contains("on-run-end") && shown.stderr.contains("nowhere"),
            "{}",
            shown.stderr
        );
    }
}

/// The hooks at the end are sent once, whatever the command and the rounds, and see how each node went.
#[test]
fn what_comes_at_the_end_of_a_run_knows_its_results() {
    let place = Place::fixture("by_name");
    let file = place.path().join("dbt_project.yml");
    let text = fs::read_to_string(&file).unwrap();
    let hooks = r#"on-run-start: "create table if not exists runs (node varchar, status varchar, columns int)"
on-run-end:
  - "{% for result in results %}insert into runs values ('{{ result.node.name }}', '{{ result.status }}', {{ result.node.columns | length }});{% endfor %}"
  - "flush"
"#;
    fs::write(&file, format!("{text}{hooks}")).unwrap();
    place.up();
    let rows = "select node || ' ' || status from runs order by 1";
    place.ok(&["run"]);
    let first = place.sql().column(rows);
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(
        first.iter().all(|row| row.ends_with(" success")),
        "{first:?}"
    );
    place.ok(&["run"]);
    place.ok(&["build"]);
    assert_eq!(place.sql().column(rows).len(), 6);
    // Tests are a run, too.
    fs::create_dir_all(place.path().join("tests")).unwrap();
    fs::write(
        place.path().join("tests/none.sql"),
        "select 1 as a where false",
    )
    .unwrap();
    place.ok(&["test"]);
    assert_eq!(place.sql().column(rows).pop(), Some("none pass".to_owned()));
    place.sql().rows("drop table runs");
    fs::write(
        &file,
        format!("{text}{}", hooks.replace("on-run-start", "vars: {} #")),
    )
    .unwrap();
    let failed = place.rwt(&["test"]).exits_with(1);
    assert!(
        failed
            .stdout
            .contains("PASS=1 WARN=0 ERROR=1 SKIP=0 TOTAL=2"),
        "{}",
        failed.stdout
    );
}

#[test]
fn a_selector_that_matches_nothing_is_warned_of() {
    let place = Place::example();
    let shown = place.ok(&["ls", "--select", "funel"]);
    assert_eq!(shown.stdout, "");
    assert_shown!(
        "selector_without_match",
        stable(&shown.stderr, place.path())
    );
}

/// Everything that a project could have made in the database.
fn catalog(sql: &Sql) -> Vec<String> {
    [
        "sources",
        "tables",
        "materialized views",
        "views",
        "sinks",
        "connections",
        "secrets",
    ]
    .iter()
    .flat_map(|kind| {
        sql.column(&format!("show {kind}"))
            .into_iter()
            .map(move |name| format!("{kind} {name}"))
    })
    .collect()
}

#[test]
fn run_again_refresh_and_drop() {
    let place = Place::example();
    place.up();
    let sql = place.sql();
    assert_eq!(catalog(&sql), [""; 0]);

    let first = place.ok(&["run", "--threads", "1"]);
    assert_shown!("run_first", stable(&first.stdout, place.path()));
    let results = fs::read_to_string(place.path().join("target/run_results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["results"].as_array().unwrap().len(), 28);
    let made = catalog(&sql);
    assert_shown!("catalog_after_run", made.join("\n"));

    let second = place.ok(&["run", "--output", "json"]).json();
    let statuses: Vec<&str> = second["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["unchanged"; 28]);
    let second = place.ok(&["run"]);
    assert!(
        second
            .stdout
            .contains("Nothing changed: all 28 were already there."),
        "{}",
        second.stdout
    );
    assert!(
        second
            .stdout
            .contains("Done. PASS=28 WARN=0 ERROR=0 SKIP=0 TOTAL=28"),
        "{}",
        second.stdout
    );
    assert_eq!(catalog(&sql), made);

    // What hangs on a selected model, but is not selected, is named, and nothing is dropped.
    sql.rows("insert into users values (1, 'n', 'e', 'c', 't', true, 'i')");
    sql.rows("flush");
    let refused = place
        .rwt(&["run", "--full-refresh", "--select", "src_page"])
        .exits_with(1);
    assert_shown!(
        "full_refresh_refused",
        stable(&refused.stderr, place.path())
    );
    assert_eq!(catalog(&sql), made);

    let refreshed = place.ok(&["run", "--full-refresh", "--threads", "1"]);
    assert_shown!("full_refresh", stable(&refreshed.stderr, place.path()));
    // What was built anew is younger than the rest, and is listed behind it.
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(catalog(&sql)), sorted(made.clone()));
    assert_eq!(
        sql.count("users"),
        0,
        "a full refresh begins with empty tables"
    );

    let unasked = place.rwt(&["drop"]).exits_with(2);
    assert_shown!("drop_unasked", stable(&unasked.stderr, place.path()));
    place.ok(&["drop", "--dry-run"]);
    assert_eq!(sorted(catalog(&sql)), sorted(made));
    let dropped = place.ok(&["drop", "--yes"]);
    assert_shown!("drop", stable(&dropped.stdout, place.path()));
    assert_eq!(catalog(&sql), [""; 0]);
    let nothing = place.ok(&["drop", "--yes"]);
    assert!(
        nothing.stdout.starts_with("Nothing to drop"),
        "{}",
        nothing.stdout
    );
}

#[test]
fn an_error_of_the_server_is_shown_at_the_models_line_and_children_are_skipped() {
    let place = Place::fixture("sql_error");
    place.up();
    let shown = place.rwt(&["run", "--threads", "1"]).exits_with(1);
    assert_shown!("sql_error_stdout", stable(&shown.stdout, place.path()));
    assert_shown!("sql_error_stderr", stable(&shown.stderr, place.path()));
    let results = fs::read_to_string(place.path().join("target/run_results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let statuses: Vec<(&str, &str)> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            (
                r["unique_id"].as_str().unwrap(),
                r["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        statuses,
        [
            ("model.shop.page_views", "success"),
            ("model.shop.viewers", "error"),
            ("model.shop.most_viewed", "skipped"),
            ("model.shop.report", "skipped"),
        ]
    );
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let place = Place::example();
    let engine = place.engine_port.to_string();
    let kafka = place.kafka_port.to_string();
    let up = ["up", "--port", &engine, "--kafka-port", &kafka];
    for (port, name) in [
        (place.engine_port, "taken_engine_port"),
        (place.kafka_port, "taken_kafka_port"),
    ] {
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let shown = place.rwt(&up).exits_with(1);
        let text = stable(&shown.stderr, place.path());
        insta::with_settings!({filters => vec![(port.to_string().as_str(), "[port]")]}, {
            insta::assert_snapshot!(name, text);
        });
        assert!(!place.data_dir().join("stack.json").exists());
    }
}

#[test]
fn the_stack_comes_up_once_shows_itself_and_goes_down() {
    let place = Place::example();
    // Where no stack of this place runs, another one may run on the usual ports.
    place.write_ports();
    let down = place.ok(&["down"]);
    assert_eq!(down.stdout, "The embedded stack is not running.\n");
    let first = place.up();
    assert!(
        first.stdout.starts_with("The embedded stack is up"),
        "{}",
        first.stdout
    );
    let pid = place.process();
    let second = place.up();
    assert!(
        second
            .stdout
            .starts_with("The embedded stack was up already"),
        "{}",
        second.stdout
    );
    assert_eq!(place.process(), pid);

    let checks = place.ok(&["debug", "--output", "json"]).json();
    let parts: Vec<&str> = checks
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["part"].as_str().unwrap())
        .collect();
    assert_eq!(
        parts,
        [
            "project",
            "target",
            "database",
            "broker",
            "topics",
            "catalog",
            "warehouse"
        ]
    );
    place.ok(&["status"]);
    assert!(!place.ok(&["logs"]).stdout.is_empty());

    place.ok(&["down"]);
    assert_eq!(place.process(), None);
    let checks = place
        .rwt(&["debug", "--output", "json"])
        .exits_with(1)
        .json();
    for check in checks.as_array().unwrap() {
        assert!(
            check["ok"].as_bool().unwrap() || !check["help"].as_str().unwrap().is_empty(),
            "{check}"
        );
    }
    place.ok(&["down", "--delete-data"]);
    assert!(!place.data_dir().exists());
}

#[test]
fn the_limit_of_memory_is_the_targets_or_the_commands() {
    let place = Place::example();
    place.write_ports();
    let refused = place.rwt(&["up", "--memory-limit", "1MB"]).exits_with(2);
    let why = "a size of at least 64MB, such as 512MB or 4GB";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    place.ok(&["up", "--memory-limit", "300MB"]);
    let status = place.ok(&["status", "--output", "json"]).json();
    assert_eq!(status["memory"]["limit"], 300 << 20);
    let text = place.ok(&["status"]).stdout;
    assert!(text.contains("MB of 300 MB: rows "), "{text}");
    place.ok(&["down"]);

    let profiles = place.path().join("profiles.yml");
    let text = std::fs::read_to_string(&profiles).unwrap();
    let with = |limit: &str| {
        let line = format!("type: embedded\n      stack: {{memory_limit: {limit}}}");
        std::fs::write(&profiles, text.replacen("type: embedded", &line, 1)).unwrap();
    };
    with("plenty");
    let refused = place.rwt(&["up"]);
    assert_ne!(refused.code(), Some(0));
    let why = "must be a size of at least 64MB";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    with("200 MB");
    place.up();
    let status = place.ok(&["status", "--output", "json"]).json();
    assert_eq!(status["memory"]["limit"], 200 << 20);
    place.ok(&["down", "--delete-data"]);
}

#[test]
fn a_command_that_needs_the_stack_starts_it_and_says_so() {
    let place = Place::example();
    place.write_ports();
    let shown = place.rwt(&["funnel"]).exits_with(1);
    assert!(
        shown.stderr.contains("Started the embedded stack"),
        "{}",
        shown.stderr
    );
    assert!(
        shown.stderr.contains("`rwt run` creates it"),
        "{}",
        shown.stderr
    );
    place.ok(&["run"]);
    assert_eq!(
        place.ok(&["funnel"]).stdout,
        "The funnel is empty. `rwt produce` sends events.\n"
    );
    let check = place.rwt(&["funnel", "--check"]).exits_with(1);
    assert!(
        check.stderr.contains("the funnel is empty"),
        "{}",
        check.stderr
    );

    place.ok(&[
        "produce", "--seed", "1", "--start", "3m", "--rate", "50", "--events", "5000",
    ]);
    support::until("the funnel has users", || {
        let check = place.rwt(&["funnel", "--check", "--max-age", "1h"]);
        if check.code() == Some(0) {
            Ok(())
        } else {
            Err(check.stderr)
        }
    });
    let check = place
        .rwt(&["funnel", "--check", "--max-age", "1s"])
        .exits_with(1);
    assert!(
        check.stderr.contains("the funnel is stale"),
        "{}",
        check.stderr
    );
}

#[test]
fn what_produce_cannot_reach_is_named_with_the_command_that_makes_it() {
    let place = Place::fixture("sql_error");
    place.up();
    let shown = place.rwt(&["produce", "--events", "1"]).exits_with(1);
    assert_shown!(
        "produce_without_topics",
        stable(&shown.stderr, place.path())
    );
    let shown = place
        .rwt(&["produce", "--direct", "--events", "1"])
        .exits_with(1);
    assert_shown!(
        "produce_without_tables",
        stable(&shown.stderr, place.path())
    );
}

#[test]
fn messages_that_are_no_rows_are_counted_and_shown() {
    let place = Place::example();
    place.up();
    place.ok(&["run"]);
    // What becomes of each is what RisingWave makes of it (tests/golden/facts.md, 7).
    let messages: [&[u8]; 5] = [
        br#"{"user_id": 1, "page_id": "page_1", "event_time": "2026-02-14 12:00:00"}"#,
        b"hello world",
        br#"{"user_id": 2, "page_id": "page_1", "event_time"#,
        br#"{"user_id": "many", "page_id": "page_1", "event_time": "2026-02-14 12:00:00"}"#,
        br#"{"user_id": "3", "PAGE_ID": "page_1", "event_time": 1771070400}"#,
    ];
    topics::send(&place.bootstrap(), "page_views", &messages);
    let sql = place.sql();
    sql.until_count("src_page", 3);
    let mut rows = sql.rows("select user_id, page_id, event_time from src_page");
    rows.sort();
    let row = |user: Option<&str>| {
        vec![
            user.map(str::to_owned),
            Some("page_1".to_owned()),
            Some("2026-02-14 12:00:00".to_owned()),
        ]
    };
    assert_eq!(rows, [row(None), row(Some("1")), row(Some("3"))]);
    let status = place.ok(&["status", "--output", "json"]).json();
    let sources = status["sources"].as_array().unwrap();
    let source = sources
        .iter()
        .find(|source| source["name"] == "src_page")
        .unwrap();
    assert_eq!(
        (
            source["rows"].as_u64(),
            source["skipped"].as_u64(),
            source["null_padded"].as_u64()
        ),
        (Some(3), Some(2), Some(1)),
        "{source}"
    );
    assert!(source["last_problem"].is_string(), "{source}");
}

#[test]
fn psql_runs_the_compiled_script_from_an_empty_database() {
    // A machine of a user need not have psql; one that says where it is must.
    let required = std::env::var("RWT_PSQL").ok();
    let psql = required.clone().unwrap_or_else(|| "psql".to_owned());
    if Command::new(&psql).arg("--version").output().is_err() {
        assert!(required.is_none(), "{psql} does not start");
        eprintln!("psql is not there: the script is not run");
        return;
    }
    let place = Place::example();
    place.up();
    // The script names the broker, so it is compiled for the ports of this stack.
    place.ok(&["compile"]);
    let port = place.engine_port.to_string();
    let script = place.path().join("compiled/all_models.sql");
    let output = Command::new(&psql)
        .args([
            "-X",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "root",
            "-d",
            "dev",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
        ])
        .arg(script)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // And what psql made is what a run makes.
    let run = place.ok(&["run"]);
    assert!(
        run.stdout
            .contains("Nothing changed: all 28 were already there."),
        "{}",
        run.stdout
    );
}

#[test]
fn the_demo_shows_everything_and_leaves_nothing() {
    let place = Place::example();
    let shown = place.ok(&["demo", "--duration", "3s", "--rate", "100"]);
    for part in [
        "viewers",
        "iceberg_page_views",
        "iceberg_clickstream_events",
        "rwt produce",
    ] {
        assert!(
            shown.stdout.contains(part),
            "no {part} in:\n{}",
            shown.stdout
        );
    }
    assert!(!place.data_dir().exists());
    let left = fs::read_dir(place.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<String> = left.collect();
    left.sort();
    assert_eq!(left, ["macros", "models", "profiles.yml", "project.yml"]);
}
