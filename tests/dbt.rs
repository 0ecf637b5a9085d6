//! What a project that dbt has run until now asks of a run: comments on statements, hooks that are queries.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use support::proxy::{Answer, Proxy};
use support::{Finished, Place, finish, rwt};

/// The fixture with more lines in its project file, its stack up.
fn place_with(lines: &str) -> Place {
    let place = Place::fixture("change");
    let path = place.path().join("project.yml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}{lines}")).unwrap();
    place.up();
    place
}

/// What `rwt` sends to the engine meanwhile, to the byte, but for what it remembers in a schema of its own.
fn sent_by(place: &Place, arguments: &[&str]) -> (Finished, Vec<String>) {
    let proxy = Proxy::start(place.engine_port, |_| Answer::Pass);
    let child = place
        .command(arguments)
        .args(["--target", "proxied"])
        .env("PROXY_PORT", proxy.port.to_string())
        .spawn()
        .unwrap();
    let finished = finish(child).exits_with(0);
    let mut sent = proxy.heard_as_sent();
    sent.retain(|sql| !sql.contains(" rwt."));
    (finished, sent)
}

fn only<'a>(sent: &'a [String], part: &str) -> &'a str {
    let found: Vec<&String> = sent.iter().filter(|sql| sql.contains(part)).collect();
    match found.as_slice() {
        [one] => one,
        _ => panic!("{part}: {found:#?} in {sent:#?}"),
    }
}

#[test]
fn statements_say_where_they_come_from_and_files_do_not() {
    let place = place_with("on-run-start: \"set query_mode = 'auto'\"\n");
    let (_, sent) = sent_by(&place, &["run"]);
    let view = only(
        &sent,
        "create materialized view \"dev\".\"public\".\"totals\"",
    );
    assert!(
        view.starts_with(
            "/* {\"app\": \"dbt\", \"dbt_version\": \"1.12.6\", \"profile_name\": \"shop\", \
             \"target_name\": \"proxied\", \"node_id\": \"model.shop.totals\"} */\ncreate"
        ),
        "{view}"
    );
    let hook = only(&sent, "query_mode");
    assert!(
        hook.contains("\"connection_name\": \"master\"} */\nset"),
        "{hook}"
    );

    place.ok(&["compile"]);
    let script = fs::read_to_string(place.path().join("compiled/all_models.sql")).unwrap();
    assert!(!script.contains("\"app\""), "{script}");
    // What is there is what was planned.
    let plan = place.ok(&["plan", "--target", "dev"]);
    assert!(!plan.stdout.contains("\"app\""), "{}", plan.stdout);
    let definitions = place
        .sql()
        .column("select definition from rw_catalog.rw_materialized_views");
    assert!(
        definitions.iter().all(|text| !text.contains("app")),
        "{definitions:?}"
    );
}

#[test]
fn the_comment_is_the_projects_own_behind_the_statement_or_none() {
    let place = place_with(
        "query-comment:\n  comment: \"by {{ node.name if node else 'nobody' }}\"\n  append: true\n",
    );
    let (_, sent) = sent_by(&place, &["run"]);
    let view = only(
        &sent,
        "create materialized view \"dev\".\"public\".\"totals\"",
    );
    assert!(view.ends_with("\n/* by totals */"), "{view}");
    assert!(
        sent.iter().any(|sql| sql.ends_with("/* by nobody */")),
        "{sent:#?}"
    );

    let place = place_with("query-comment: \"\"\n");
    let (_, sent) = sent_by(&place, &["run"]);
    assert!(sent.iter().all(|sql| !sql.contains("/*")), "{sent:#?}");
}

#[test]
fn the_line_of_an_error_is_the_models_own() {
    let place = Place::fixture("change");
    fs::write(
        place.path().join("models/broken.sql"),
        "{{ config(materialized='table') }}\nselect 1 as a,\n  2 as as b\n",
    )
    .unwrap();
    place.up();
    let failed = place.rwt(&["run"]).exits_with(1);
    assert!(failed.stderr.contains("broken.sql:3"), "{}", failed.stderr);
}

#[test]
fn a_query_of_a_hook_is_sent() {
    let place = place_with(
        "on-run-start: \"select 'it begins'\"\n\
         on-run-end: \"{{ 'select ' ~ \\\"'it ends'\\\" }}\"\n",
    );
    fs::write(
        place.path().join("models/hooked.sql"),
        "{{ config(materialized='table', pre_hook=\"select 'before'\", \
         post_hook=\"select count(*) as behind from {{ this }}\") }}\nselect 1 as a\n",
    )
    .unwrap();
    let (_, sent) = sent_by(&place, &["run"]);
    let at = |part: &str| sent.iter().position(|sql| sql.contains(part)).unwrap();
    let order = [
        at("'it begins'"),
        at("'before'"),
        at("create table \"dev\".\"public\".\"hooked\""),
        at("as behind from \"dev\".\"public\".\"hooked\""),
        at("'it ends'"),
    ];
    assert!(order.is_sorted(), "{order:?} {sent:#?}");
    // The table is there now, and those of the project run every time.
    let (_, sent) = sent_by(&place, &["run"]);
    only(&sent, "'it begins'");
    only(&sent, "'it ends'");
    assert!(
        !sent.iter().any(|sql| sql.contains("as behind")),
        "{sent:#?}"
    );
    // psql runs the script, and it does the same.
    place.ok(&["compile"]);
    let script = fs::read_to_string(place.path().join("compiled/all_models.sql")).unwrap();
    assert!(script.contains("select 'it begins'"), "{script}");
}

#[test]
fn a_hook_at_the_end_sees_how_the_nodes_went() {
    let place = place_with(
        "on-run-end: \"insert into went values ('{{ results | map(attribute='node') | map(attribute='name') | join(',') }}', \
         '{{ results | map(attribute='status') | unique | join(',') }}')\"\n\
         on-run-start: \"insert into chosen values ('{{ selected_resources | sort | join(' ') }}')\"\n",
    );
    let sql = place.sql();
    sql.rows("create table went (names varchar, status varchar)");
    sql.rows("create table chosen (ids varchar)");
    let went = || sql.column("select names || ' ' || status from went order by 1");
    place.ok(&["run", "--select", "events", "totals"]);
    assert_eq!(went(), ["events,totals success"]);
    assert_eq!(
        sql.column("select ids from chosen"),
        ["model.shop.events model.shop.totals"]
    );
    // A failure is a result, too; the script has what an empty run would say.
    fs::write(
        place.path().join("models/broken.sql"),
        "select 1 / 0 as a from nowhere",
    )
    .unwrap();
    place.rwt(&["build", "--select", "broken"]).exits_with(1);
    assert_eq!(went(), ["broken error", "events,totals success"]);
    sql.rows("drop table went");
    let failed = place.rwt(&["run", "--select", "events"]).exits_with(1);
    assert!(failed.stderr.contains("project.yml"), "{}", failed.stderr);
    assert!(
        failed.stdout.contains("Completed with 1 error"),
        "{}",
        failed.stdout
    );
}

fn write(place: &Place, path: &str, text: &str) {
    let path = place.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_snapshot_is_made_once_and_refused_then() {
    let place = place_with("snapshots:\n  shop:\n    +schema: history\n");
    write(
        &place,
        "snapshots/kept.sql",
        "{% snapshot kept %}\n{{ config(strategy='check', unique_key='id', check_cols=['kind'], \
         hard_deletes='new_record', snapshot_meta_column_names={'dbt_valid_to': 'ends'}) }}\n\
         select * from {{ ref('events') }}\n{% endsnapshot %}\n",
    );
    // What runs models runs no snapshot.
    let run = place.ok(&["run"]);
    assert!(!run.stdout.contains("kept"), "{}", run.stdout);
    place
        .sql()
        .rows("insert into events values (1, 'view', 3), (2, 'cart', 2)");
    place.sql().rows("flush");
    let made = place.ok(&["snapshot"]);
    assert!(made.stdout.contains("PASS=1"), "{}", made.stdout);
    let rows = place.sql().column(
        "select concat_ws(',', id, kind, dbt_is_deleted, ends is null, length(dbt_scd_id)) from public_history.kept order by id",
    );
    assert_eq!(rows, ["1,view,False,t,32", "2,cart,False,t,32"]);
    let again = place.rwt(&["snapshot"]).exits_with(1);
    assert!(
        again.stderr.contains("RisingWave cannot go on with it"),
        "{}",
        again.stderr
    );
    let listed = place.ok(&[
        "ls",
        "--select",
        "resource_type:snapshot",
        "--output",
        "name",
    ]);
    assert_eq!(listed.stdout, "kept\n");
    place.ok(&["build", "--exclude-resource-type", "snapshot"]);
}

#[test]
fn a_microbatch_model_replaces_the_rows_of_its_batches() {
    let place = Place::fixture("change");
    write(
        &place,
        "models/clicks.sql",
        "{{ config(materialized='table_with_connector', event_time='at') }}\n\
         create table {{ this }} (id int primary key, at timestamp)",
    );
    write(
        &place,
        "models/daily.sql",
        "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', batch_size='day', \
         begin='2024-05-01', post_hook=\"insert into runs values ('{{ model.batch.id }}')\") }}\n\
         select id, at, '{{ model.batch.id if model.batch }}' as batch from {{ ref('clicks') }}",
    );
    place.up();
    let sql = place.sql();
    sql.rows("create table runs (batch varchar)");
    place.ok(&["run", "--select", "clicks"]);
    sql.rows("insert into clicks values (1, '2024-05-01 10:00:00'), (2, '2024-05-02 00:00:00'), (3, '2024-05-03 00:00:00')");
    let times = |start: &str, end: &str| {
        let run = [
            "run",
            "-s",
            "daily",
            "--event-time-start",
            start,
            "--event-time-end",
            end,
        ];
        place.ok(&run)
    };
    let first = times("2024-05-01", "2024-05-03");
    assert!(
        first.stderr.contains("batch 2024-05-02 of daily (2 of 2)"),
        "{}",
        first.stderr
    );
    let kept = || sql.column("select id || ' ' || batch from daily order by id");
    assert_eq!(kept(), ["1 20240501", "2 20240502"]);
    sql.rows("delete from clicks where id = 2");
    sql.rows("insert into clicks values (4, '2024-05-02 12:00:00')");
    sql.rows("flush");
    times("2024-05-02", "2024-05-04");
    assert_eq!(kept(), ["1 20240501", "3 20240503", "4 20240502"]);
    // Hooks run before the first batch and behind the last.
    assert_eq!(
        sql.column("select batch from runs order by batch"),
        ["20240502", "20240503"]
    );

    let wrong = [
        "run",
        "--event-time-start",
        "2024-05-02",
        "--event-time-end",
        "2024-05-01",
    ];
    let wrong = place.rwt(&wrong).exits_with(2);
    assert!(
        wrong.stderr.contains("must be less than"),
        "{}",
        wrong.stderr
    );
    place
        .rwt(&["run", "--event-time-start", "2024-05-02"])
        .exits_with(2);
    write(
        &place,
        "models/daily.sql",
        "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', begin='2024-05-01') }}\n\
         select * from {{ ref('clicks') }}",
    );
    let refused = place.rwt(&["compile"]).exits_with(1);
    assert!(refused.stderr.contains("batch_size"), "{}", refused.stderr);
}

#[test]
fn a_retry_builds_the_batches_that_failed() {
    let place = Place::fixture("change");
    write(
        &place,
        "models/daily.sql",
        "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', batch_size='day', \
         begin='2024-05-01') }}\n\
         select n as id, at, '{{ model.batch.id if model.batch }}' as batch from clicks\n\
         {% if model.batch and model.batch.id == '20240502' %}where n in (select n from late){% endif %}",
    );
    place.up();
    let sql = place.sql();
    sql.rows("create table clicks (n int, at timestamp)");
    sql.rows("insert into clicks values (1, '2024-05-01 10:00:00')");
    sql.rows("flush");
    let run = [
        "run",
        "-s",
        "daily",
        "--event-time-start",
        "2024-05-01",
        "--event-time-end",
        "2024-05-04",
    ];
    let failed = place.rwt(&run).exits_with(1);
    assert!(failed.stderr.contains("late"), "{}", failed.stderr);
    let batches = || {
        let path = place.path().join("target/run_results.json");
        let results: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let of = |key: &str| -> Vec<String> {
            let batches = results["results"][0]["batch_results"][key]
                .as_array()
                .unwrap();
            let starts = batches
                .iter()
                .map(|batch| batch[0].as_str().unwrap().to_owned());
            starts.collect()
        };
        (of("successful"), of("failed"))
    };
    let day = |day: u32| format!("2024-05-0{day}T00:00:00+00:00");
    // The third one is built although the second one failed.
    assert_eq!(batches(), (vec![day(1), day(3)], vec![day(2)]));
    let kept = || sql.column("select distinct batch from daily order by batch");
    assert_eq!(kept(), ["20240501", "20240503"]);

    sql.rows("create table late (n int)");
    sql.rows("insert into late values (1)");
    sql.rows("flush");
    let retried = place.ok(&["retry"]);
    assert!(
        retried
            .stderr
            .contains("batch 2024-05-02 of daily (1 of 1)"),
        "{}",
        retried.stderr
    );
    assert!(
        !retried.stderr.contains("batch 2024-05-01")
            && !retried.stderr.contains("batch 2024-05-03"),
        "{}",
        retried.stderr
    );
    assert_eq!(batches(), (vec![day(1), day(2), day(3)], vec![]));
    assert_eq!(kept(), ["20240501", "20240502", "20240503"]);
}

#[test]
fn sources_are_as_old_as_their_youngest_rows() {
    let place = Place::fixture("change");
    write(
        &place,
        "models/sources.yml",
        "sources:\n  - name: raw\n    schema: public\n    config:\n      freshness:\n        \
         warn_after: {count: 1, period: hour}\n        error_after: {count: 2, period: day}\n      loaded_at_field: at\n    tables:\n      \
         - name: young\n      - name: old\n      - name: empty\n        config: {freshness: {warn_after: {count: 1, period: day}}}\n      \
         - name: asked\n        config: {loaded_at_query: \"select max(at) from {{ this }} where at < now() - interval '5 hours'\"}\n      \
         - name: unwatched\n        config: {freshness: null}\n",
    );
    place.up();
    let sql = place.sql();
    for name in ["young", "old", "empty", "asked", "unwatched"] {
        sql.rows(&format!("create table {name} (at timestamptz)"));
    }
    sql.rows("insert into young values (now() - interval '1 minute')");
    sql.rows("insert into old values (now() - interval '3 days')");
    sql.rows("insert into asked values (now()), (now() - interval '6 hours')");
    sql.rows("flush");
    let found = place
        .rwt(&["source", "freshness", "--output", "json"])
        .exits_with(1);
    let stands: Vec<(String, String)> = found.json()["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| {
            let text = |key: &str| source[key].as_str().unwrap().to_owned();
            (text("name"), text("status"))
        })
        .collect();
    let stands: Vec<(&str, &str)> = stands
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(
        stands,
        [
            ("raw.asked", "warn"),
            ("raw.empty", "error"),
            ("raw.old", "error"),
            ("raw.young", "pass")
        ]
    );
    let text = fs::read_to_string(place.path().join("target/sources.json")).unwrap();
    let artifact: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        artifact["metadata"]["dbt_schema_version"],
        "https://schemas.getdbt.com/dbt/sources/v3.json"
    );
    assert_eq!(
        artifact["results"][1]["criteria"]["error_after"]["count"],
        2
    );
    assert_eq!(artifact["results"].as_array().unwrap().len(), 4);
    place.ok(&["source", "freshness", "--select", "source:raw.young"]);
    write(
        &place,
        "models/sources.yml",
        "sources:\n  - name: raw\n    freshness: {warn_after: {count: 1, period: hours}}\n    tables:\n      - name: young\n",
    );
    let refused = place.rwt(&["parse"]).exits_with(1);
    assert!(
        refused.stderr.contains("sources.yml:3"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("`minute`, `hour` or `day`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_new_project_builds_and_is_cleaned() {
    let place = Place::fixture("change");
    place.ok(&["init", "fresh"]);
    let root = place.path().join("fresh");
    let rwt = |arguments: &[&str]| {
        let mut command = rwt();
        command.args(arguments).current_dir(&root);
        finish(
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    };
    rwt(&["parse", "--no-partial-parse", "--warn-error"]).exits_with(0);
    rwt(&["test", "--resource-type", "unit_test"]).exits_with(0);
    assert!(root.join("target/manifest.json").exists());
    rwt(&["clean"]).exits_with(0);
    assert!(!root.join("target").exists());
    assert!(root.join("models/example/orders.sql").exists());
    let project = root.join("dbt_project.yml");
    let text = fs::read_to_string(&project).unwrap();
    fs::write(&project, text.replace("\"dbt_packages\"", "\"../models\"")).unwrap();
    fs::create_dir(root.join("target")).unwrap();
    let refused = rwt(&["clean"]).exits_with(2);
    assert!(
        refused.stderr.contains("outside of the project"),
        "{}",
        refused.stderr
    );
    assert!(root.join("target").exists() && place.path().join("models").exists());
    place.rwt(&["init", "fresh"]).exits_with(2);
}

#[test]
fn variables_may_stand_in_a_file_of_their_own() {
    let place = Place::fixture("change");
    write(&place, "vars.yml", "vars:\n  least: 7\n  shop: {own: 8}\n");
    write(
        &place,
        "models/m.sql",
        "select {{ var('least') }} as a, {{ var('own') }} as b",
    );
    place.ok(&["compile", "--select", "m"]);
    let compiled = || fs::read_to_string(place.path().join("compiled/models/m.sql")).unwrap();
    assert_eq!(compiled(), "select 7 as a, 8 as b\n");
    place.ok(&["compile", "--select", "m", "--vars", "least: 9"]);
    assert_eq!(compiled(), "select 9 as a, 8 as b\n");
    let project = place.path().join("project.yml");
    let text = fs::read_to_string(&project).unwrap();
    fs::write(project, format!("{text}vars: {{least: 1}}\n")).unwrap();
    let refused = place.rwt(&["compile"]).exits_with(2);
    assert!(
        refused
            .stderr
            .contains("both vars.yml and the project file"),
        "{}",
        refused.stderr
    );
}

#[test]
fn options_of_dbts_are_taken_or_refused_with_a_reason() {
    let place = Place::fixture("change");
    place.ok(&[
        "--no-use-colors",
        "--no-partial-parse",
        "ls",
        "-m",
        "totals",
        "--no-version-check",
    ]);
    let listed = place.ok(&[
        "ls",
        "--select",
        "totals",
        "--output",
        "json",
        "--output-keys",
        "name config.materialized schema nothing",
    ]);
    assert_eq!(
        listed.stdout,
        "{\"name\":\"totals\",\"config.materialized\":\"materialized_view\",\"schema\":\"public\"}\n"
    );
    let refused = place.rwt(&["clone", "--state", "x"]).exits_with(2);
    assert!(refused.stderr.contains("--defer"), "{}", refused.stderr);
    let path = place.path().join("models/totals.yml");
    fs::write(
        path,
        "models:\n  - name: totals\n    config: {materialised: view}\n",
    )
    .unwrap();
    place.ok(&["ls"]);
    let warned = place.rwt(&["ls", "--warn-error"]).exits_with(1);
    assert!(
        warned.stderr.contains("with --warn-error they are errors"),
        "{}",
        warned.stderr
    );
}

/// Answers every request with the same text.
fn hub(answer: String) -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = [0; 2048];
            let _ = client.read(&mut request).unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            client
                .write_all(format!("{head}{answer}").as_bytes())
                .unwrap();
        }
    });
    port
}

fn git(directory: &std::path::Path, arguments: &[&str]) {
    let done = std::process::Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(arguments)
        .current_dir(directory)
        .status();
    assert!(done.unwrap().success(), "{arguments:?}");
}

#[test]
fn a_package_of_the_hub_is_a_tag_of_its_repository() {
    let place = Place::fixture("change");
    let remote = tempfile::tempdir().unwrap();
    let package = remote.path().join("owner/pack.git");
    fs::create_dir_all(package.join("macros")).unwrap();
    fs::write(
        package.join("dbt_project.yml"),
        "name: pack\nversion: '1'\n",
    )
    .unwrap();
    git(&package, &["init", "--quiet"]);
    for version in ["1.0.0", "1.2.0", "2.0.0"] {
        let text = format!("{{% macro version() %}}'{version}'{{% endmacro %}}");
        fs::write(package.join("macros/version.sql"), text).unwrap();
        git(&package, &["add", "."]);
        git(&package, &["commit", "--quiet", "-m", version]);
        git(&package, &["tag", version]);
    }
    let versions: serde_json::Map<String, serde_json::Value> = ["1.0.0", "1.2.0", "2.0.0"]
        .iter()
        .map(|version| {
            let tarball = format!("https://codeload.github.com/owner/pack/tar.gz/{version}");
            (
                (*version).to_owned(),
                serde_json::json!({"downloads": {"tarball": tarball}}),
            )
        })
        .collect();
    let port = hub(serde_json::json!({"name": "pack", "versions": versions}).to_string());
    let deps = |arguments: &[&str]| {
        let mut command = place.command(&[&["deps"], arguments].concat());
        command
            .env("DBT_PACKAGE_HUB_URL", format!("http://127.0.0.1:{port}/"))
            .env("GIT_CONFIG_COUNT", "1")
            .env(
                "GIT_CONFIG_KEY_0",
                format!("url.file://{}/.insteadOf", remote.path().display()),
            )
            .env("GIT_CONFIG_VALUE_0", "https://github.com/");
        finish(command.spawn().unwrap())
    };
    let version = || {
        place.ok(&["compile", "--select", "m"]);
        fs::read_to_string(place.path().join("compiled/models/m.sql")).unwrap()
    };
    write(&place, "models/m.sql", "select {{ pack.version() }} as v");
    deps(&["--add-package", "owner/pack@>=1.0.0,<1.1.0", "--lock"]).exits_with(0);
    let installed = place.path().join("dbt_packages");
    assert_eq!(fs::read_dir(&installed).unwrap().count(), 0);
    deps(&[]).exits_with(0);
    assert_eq!(version(), "select '1.0.0' as v\n");
    // What is written down is kept as long as it fits.
    write(
        &place,
        "packages.yml",
        "packages:\n  - package: owner/pack\n    version: \">=1.0.0,<2.0.0\"\n",
    );
    deps(&[]).exits_with(0);
    assert_eq!(version(), "select '1.0.0' as v\n");
    deps(&["--upgrade"]).exits_with(0);
    assert_eq!(version(), "select '1.2.0' as v\n");
    let lock = fs::read_to_string(place.path().join("package-lock.yml")).unwrap();
    assert!(lock.contains("version: \"1.2.0\""), "{lock}");
    write(
        &place,
        "packages.yml",
        "packages:\n  - package: owner/pack\n    version: \">=3.0.0\"\n",
    );
    let refused = deps(&[]).exits_with(1);
    assert!(
        refused.stderr.contains("2.0.0, 1.2.0, 1.0.0"),
        "{}",
        refused.stderr
    );
}

const RAISES: &str =
    "{% if execute %}{{ exceptions.raise_compiler_error('not this one') }}{% endif %}";

/// A project of materialized views that read one another by these names.
fn chain(place: &Place, names: &[&str]) {
    for (index, name) in names.iter().enumerate() {
        let from = match index {
            0 => "select 1 as n".to_owned(),
            _ => format!(
                "select n + 1 as n from {{{{ ref('{}') }}}}",
                names[index - 1]
            ),
        };
        write(place, &format!("models/{name}.sql"), &materialized(&from));
    }
}

fn materialized(query: &str) -> String {
    format!("{{{{ config(materialized='materialized_view') }}}}\n{query}\n")
}

#[test]
fn a_model_that_cannot_be_compiled_stops_itself_and_what_hangs_on_it() {
    let place = place_with("");
    chain(&place, &["c1", "c2", "c3"]);
    write(
        &place,
        "models/c2.sql",
        &materialized(&format!("select n from {{{{ ref('c1') }}}} {RAISES}")),
    );
    let select = ["--select", "c1,c1 c2 c3"];
    let closing = "Done. PASS=1 WARN=0 ERROR=1 SKIP=1 TOTAL=3";
    let shown = place.rwt(&[&["run"][..], &select].concat()).exits_with(1);
    for line in [
        "ERROR creating materialized view public.c2",
        "SKIP materialized view public.c3",
        "OK created materialized view public.c1",
        closing,
    ] {
        assert!(shown.stdout.contains(line), "{line}: {}", shown.stdout);
    }
    assert!(shown.stderr.contains("not this one"), "{}", shown.stderr);
    let shown = place.rwt(&[&["build"][..], &select].concat()).exits_with(1);
    assert!(shown.stdout.contains(closing), "{}", shown.stdout);
    // Who asks for the others is not bothered; who wants all of it or nothing gets nothing.
    place.ok(&["run", "--select", "c1"]);
    place.ok(&["plan", "--select", "c1"]);
    place.rwt(&[&["plan"][..], &select].concat()).exits_with(1);
    let shown = place
        .rwt(&[&["run", "--fail-fast", "--full-refresh"][..], &select].concat())
        .exits_with(1);
    assert!(!shown.stdout.contains("c1"), "{}", shown.stdout);
    assert_eq!(place.sql().number("select n from c1"), 1);
}

#[test]
fn a_contract_is_checked_with_its_types_before_anything_is_sent() {
    let place = place_with("");
    chain(&place, &["c1"]);
    write(
        &place,
        "models/kept.sql",
        "{{ config(materialized='table', contract={'enforced': true}) }}\nselect n, 'x' as word from {{ ref('c1') }}\n",
    );
    let properties = |data_type: &str| {
        let columns =
            format!("[{{name: n, data_type: {data_type}}}, {{name: word, data_type: varchar}}]");
        write(
            &place,
            "models/kept.yml",
            &format!("models: [{{name: kept, columns: {columns}}}]\n"),
        );
    };
    properties("bigint");
    for command in ["compile", "plan", "run"] {
        let shown = place.rwt(&[command, "--select", "c1 kept"]).exits_with(1);
        assert!(
            shown
                .stderr
                .contains("| n           | INTEGER         | LONGINTEGER   | data type mismatch |"),
            "{command}: {}",
            shown.stderr
        );
    }
    properties("int");
    place.ok(&["run", "--select", "c1 kept"]);
}

#[test]
fn shown_queries_have_their_headers_and_ephemeral_models() {
    let place = place_with("");
    write(
        &place,
        "models/passing.sql",
        "{{ config(materialized='ephemeral') }} select 41 as n",
    );
    write(
        &place,
        "models/headed.sql",
        "{% call set_sql_header(config) %}with given as (select 7 as n){% endcall %}\nselect n from given",
    );
    let inline = "select n + 1 as n from {{ ref('passing') }}";
    let shown = place.ok(&[
        "show", "--inline", inline, "--limit", "-1", "--output", "json",
    ]);
    assert_eq!(shown.json(), serde_json::json!({"show": [{"n": 42}]}));
    let shown = place.ok(&["show", "--select", "headed", "--output", "json"]);
    let expected = serde_json::json!({"node": "headed", "show": [{"n": 7}]});
    assert_eq!(shown.json(), expected);
    // What has no query shows what is there.
    write(
        &place,
        "models/raw.sql",
        "{{ config(materialized='table_with_connector') }} create table {{ this }} (id int primary key)",
    );
    write(&place, "seeds/kinds.csv", "id\n7\n");
    place.ok(&["build", "--select", "raw", "kinds"]);
    place.sql().rows("insert into raw values (3)");
    place.sql().rows("flush");
    for (node, id) in [("raw", 3), ("kinds", 7)] {
        let shown = place.ok(&["show", "--select", node, "--output", "json"]);
        let expected = serde_json::json!({"node": node, "show": [{"id": id}]});
        assert_eq!(shown.json(), expected);
    }
}

#[test]
fn what_dbts_runs_left_behind_is_listed_and_dropped() {
    let place = place_with("");
    chain(&place, &["c1"]);
    place.ok(&["run", "--select", "c1"]);
    let sql = place.sql();
    sql.rows("create materialized view c1_dbt_zero_down_tmp_1 as select n from c1");
    sql.rows(
        "create materialized view c2_dbt_zero_down_tmp_2 as select n from c1_dbt_zero_down_tmp_1",
    );
    sql.rows("create index left_index on c2_dbt_zero_down_tmp_2(n)");
    sql.rows("create view reader as select n from c2_dbt_zero_down_tmp_2");
    let operation = |name: &str, args: &str| {
        place
            .ok(&["run-operation", name, "--args", args, "--quiet"])
            .stdout
    };
    let listed = operation("list_temp_objects", "{}");
    assert!(listed.contains("2 objects"), "{listed}");
    let dry = operation("cleanup_temp_objects", "{dry: true}");
    assert!(dry.contains("0 of 2 dropped"), "{dry}");
    let kept = operation("cleanup_temp_objects", "{schema_name: public}");
    assert!(kept.contains("0 of 2 dropped"), "{kept}");
    sql.rows("drop view reader");
    let cleaned = operation("cleanup_temp_objects", "{}");
    assert!(cleaned.contains("2 of 2 dropped"), "{cleaned}");
}

#[test]
fn tables_of_failed_runs_of_an_incremental_model_go() {
    let place = place_with("");
    write(
        &place,
        "models/grows.sql",
        "{{ config(materialized='incremental', unique_key='id') }} select 1 as id",
    );
    place.ok(&["run", "--select", "grows"]);
    let sql = place.sql();
    sql.rows("create table grows__dbt_tmp123 (id int)");
    sql.rows("create table grows__dbt_tmp_mine (id int)");
    place.ok(&["run", "--select", "grows"]);
    let left =
        sql.column("select name from rw_catalog.rw_tables where name like 'grows%' order by name");
    assert_eq!(left, ["grows", "grows__dbt_tmp_mine"]);
}

#[test]
fn a_message_is_given_once_and_of_what_is_selected() {
    let place = place_with("");
    write(
        &place,
        "models/odd.sql",
        "{{ log('odd is read', info=True) }}{{ config(materialized='view', retention='1 day') }} select 1 as n",
    );
    for command in ["compile", "run"] {
        let shown = place.ok(&[command, "--select", "odd"]);
        for said in ["RW007", "odd is read"] {
            assert_eq!(shown.stderr.matches(said).count(), 1, "{}", shown.stderr);
        }
    }
    let shown = place.ok(&["plan", "--select", "totals"]);
    for said in ["RW007", "odd is read"] {
        assert!(!shown.stderr.contains(said), "{}", shown.stderr);
    }
}

/// The fixture with a macro and hooks that call it.
fn place_with_macro(text: &str, hooks: &str) -> Place {
    let place = Place::fixture("change");
    write(&place, "macros/hooks.sql", text);
    let path = place.path().join("project.yml");
    let project = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{project}{hooks}")).unwrap();
    place.up();
    place
}

/// Names and kinds of what the project has made.
fn made(place: &Place) -> Vec<String> {
    place.sql().column(
        "select r.relation_type || ' ' || r.name from rw_catalog.rw_relations r \
         join rw_catalog.rw_schemas s on r.schema_id = s.id where s.name = 'public' order by 1",
    )
}

#[test]
fn what_a_hook_drops_is_made_again_by_the_same_run() {
    let place = place_with_macro(
        "{% macro clear() %}\n{% if var('clears', false) %}\n\
         {% do run_query('drop materialized view if exists ' ~ target.schema ~ '.totals cascade') %}\n\
         {% endif %}\n{% endmacro %}\n",
        "on-run-start: \"{{ clear() }}\"\n",
    );
    let quiet = place.ok(&["plan"]);
    assert!(!quiet.stdout.contains("on-run-start"), "{}", quiet.stdout);
    place.ok(&["run"]);
    let wanted = made(&place);
    let clears = |arguments: &[&str]| place.ok(&[arguments, &["--vars", "clears: true"]].concat());

    let ids = || {
        place
            .sql()
            .column("select id from rw_catalog.rw_relations where name = 'totals'")
    };
    let before = ids();
    let plan = clears(&["plan"]);
    for words in [
        "on-run-start hooks send 1 statement first",
        "warning[cascade-in-hook] project.yml: on-run-start drops with CASCADE: drop materialized view if exists public.totals cascade",
    ] {
        assert!(plan.stdout.contains(words), "{words}: {}", plan.stdout);
    }
    let comment = clears(&["plan", "--output", "markdown"]);
    let words = "on-run-start hooks send 1 statement first";
    assert!(comment.stdout.contains(words), "{}", comment.stdout);
    assert_eq!(ids(), before, "a plan sends no hook");

    // Nothing else has changed, and then something has.
    let mut before = before;
    for command in ["run", "build"] {
        clears(&[command, "--allow-destructive"]);
        assert_eq!(made(&place), wanted, "{command}");
        let now = ids();
        assert_ne!(now, before, "{command}");
        before = now;
    }
    write(
        &place,
        "models/totals.sql",
        "select kind, sum(n) as total, count(*) as many from {{ ref('events') }} group by kind",
    );
    let applied = clears(&["apply", "--allow-destructive", "--yes"]);
    let words = "on-run-start hooks have changed what is to be done";
    assert!(applied.stderr.contains(words), "{}", applied.stderr);
    place.ok(&["plan", "--detailed-exitcode"]);
}

#[test]
fn hooks_that_only_ask_cost_no_look_into_the_catalog() {
    let place = place_with_macro("", "");
    place.ok(&["run"]);
    let looks = || {
        let (_, sent) = sent_by(&place, &["run"]);
        sent.iter()
            .filter(|sql| sql.contains("rw_catalog."))
            .count()
    };
    let without = looks();
    let path = place.path().join("project.yml");
    let project = fs::read_to_string(&path).unwrap();
    fs::write(
        path,
        format!("{project}on-run-start: [\"select 1\", \"set query_mode = 'auto'\"]\n"),
    )
    .unwrap();
    assert_eq!(looks(), without);
}

#[test]
fn what_hooks_say_is_shown_once() {
    let place = place_with_macro(
        "{% macro say(when) %}\n\
         {%- set count = run_query('select 3 as n').columns[0].values()[0] -%}\n\
         {%- do log('logged at the ' ~ when ~ ': ' ~ count, info=true) -%}\n\
         {%- do print('printed at the ' ~ when ~ ': ' ~ count) -%}\n{% endmacro %}\n",
        "on-run-start: \"{{ say('start') }}\"\non-run-end: \"{{ say('end') }}\"\n",
    );
    let plan = place.ok(&["plan"]);
    assert!(!plan.stdout.contains("printed"), "{}", plan.stdout);
    let said = |arguments: &[&str]| {
        let shown = place.ok(arguments);
        for when in ["start", "end"] {
            let logged = format!("logged at the {when}: 3\n");
            let printed = format!("printed at the {when}: 3\n");
            let times = (
                shown.stderr.matches(&logged).count(),
                shown.stdout.matches(&printed).count(),
            );
            assert_eq!(
                times,
                (1, 1),
                "{arguments:?} {when}: {} {}",
                shown.stderr,
                shown.stdout
            );
        }
    };
    said(&["apply", "--yes"]);
    said(&["run"]);
    said(&["build"]);
}

#[test]
fn an_error_of_a_hook_has_its_place_its_statement_and_what_the_database_said() {
    let place = place_with_macro(
        "{% macro audit() %}\n  {% do run_query('insert into ' ~ 'nowhere values (1)') %}\n{% endmacro %}\n",
        "on-run-start:\n  - \"select 1\"\n  - \"{{ audit() }}\"\n",
    );
    let failed = place.rwt(&["run"]).exits_with(1);
    for part in [
        "macros/hooks.sql:2",
        "insert into nowhere values (1)",
        "nowhere",
    ] {
        assert!(failed.stderr.contains(part), "{part}: {}", failed.stderr);
    }
    let path = place.path().join("project.yml");
    let text = fs::read_to_string(&path).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("audit"))
        .unwrap()
        + 1;
    for key in ["on-run-start", "on-run-end"] {
        let text = text.replace("on-run-start", key);
        fs::write(
            &path,
            text.replace("{{ audit() }}", "insert into absent values (1)"),
        )
        .unwrap();
        for command in ["run", "build"] {
            let failed = place.rwt(&[command]).exits_with(1);
            let place_of_it = format!("project.yml:{line}");
            for part in [&place_of_it, "insert into absent values (1)", "absent"] {
                assert!(
                    failed.stderr.contains(part),
                    "{key} {part}: {}",
                    failed.stderr
                );
            }
        }
    }
}
