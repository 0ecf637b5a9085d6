//! Unit tests, data tests and `rwt build` as a user meets them.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{PATIENCE, Place, finish, repository, rwt};

fn stable(text: &str, place: &Path) -> String {
    text.replace(&format!("{}/", place.display()), "")
}

macro_rules! assert_shown {
    ($name:expr, $text:expr) => {
        insta::with_settings!({filters => vec![
            (r"in \d+\.\d\ds", "in [time]"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        ]}, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

/// Replaces a text in a file of a place.
fn edit(place: &Place, file: &str, from: &str, to: &str) {
    let path = place.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}:\n{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// The lines of a run, without their order where several threads print.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn unit_tests_of_every_kind_hold() {
    let place = Place::fixture("testing");
    let shown = place.ok(&["test", "--resource-type", "unit_test"]);
    assert_shown!("unit_tests_hold", shown.stdout);
    assert_shown!("unit_tests_hold_stderr", shown.stderr);
    let results = fs::read(place.path().join("target/run_results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    let results = results["results"].as_array().unwrap();
    assert_eq!(results.len(), 9);
    assert!(
        results.iter().all(|result| result["status"] == "pass"),
        "{results:?}"
    );
}

#[test]
fn unit_tests_need_no_port_and_no_server() {
    let place = Place::fixture("testing");
    // Somebody listens where the engine and the broker would, and nobody comes.
    let listeners: Vec<TcpListener> = [place.engine_port, place.kafka_port]
        .iter()
        .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap())
        .collect();
    let profile = place.path().join("profiles.yml");
    let text = fs::read_to_string(&profile).unwrap();
    let port = format!("type: embedded\n      port: {}\n", place.engine_port);
    fs::write(&profile, text.replace("type: embedded\n", &port)).unwrap();
    place.ok(&["test", "--select", "test_type:unit"]);
    for listener in listeners {
        listener.set_nonblocking(true).unwrap();
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    }
    assert!(!place.data_dir().exists(), "nothing is started");
}

#[test]
fn a_source_that_a_seed_makes_has_the_seeds_types() {
    let place = Place::fixture("testing");
    let write = |file: &str, text: &str| {
        let file = place.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write(
        "seeds/payments.csv",
        "id,paid_at,cents\n1,2026-01-01 10:00:00,250\n",
    );
    write(
        "models/staged.sql",
        "select id, date_trunc('day', paid_at) as day, cents / 100.0 as amount from {{ source('raw', 'payments') }}",
    );
    write(
        "models/staged.yml",
        "sources: [{name: raw, schema: public, tables: [{name: payments}]}]\n\
         unit_tests:\n  - name: amounts\n    model: staged\n    given:\n      - input: source('raw', 'payments')\n        rows: [{id: 7}]\n    \
         expect: {rows: [{id: 7, day: null, amount: null}]}\n",
    );
    place.ok(&["test", "--select", "test_name:amounts"]);
}

#[test]
fn the_examples_unit_tests_hold() {
    let shown = finish(
        rwt()
            .current_dir(repository())
            .env("HOME", repository())
            .args(["test", "--resource-type", "unit_test", "--target-path"])
            .arg(tempfile::tempdir().unwrap().path())
            .spawn()
            .unwrap(),
    )
    .exits_with(0);
    assert!(shown.stdout.contains("PASS=5 "), "{}", shown.stdout);
}

#[test]
fn a_failure_shows_the_rows_that_differ() {
    let place = Place::fixture("testing");
    edit(&place, "models/totals.sql", "> 100", "> 10");
    let junit = place.path().join("out/unit.xml");
    let arguments = [
        "test",
        "--select",
        "totals,test_type:unit",
        "--junit",
        junit.to_str().unwrap(),
    ];
    let shown = place.rwt(&arguments).exits_with(1);
    assert_shown!("unit_test_failure", stable(&shown.stdout, place.path()));
    let xml = fs::read_to_string(junit).unwrap();
    insta::with_settings!({filters => vec![
        (r#"time="[\d.]+""#, "time=\"[time]\""),
        (r#"timestamp="[^"]+""#, "timestamp=\"[time]\""),
    ]}, {
        insta::assert_snapshot!("unit_test_failure_junit", stable(&xml, place.path()));
    });
}

#[test]
fn what_cannot_be_run_says_where_and_what_to_write() {
    let wrong = |from: &str, to: &str, name: &str, test: &str| {
        let place = Place::fixture("testing");
        edit(&place, "models/unit_tests.yml", from, to);
        let shown = place.rwt(&["test", "--select", test]).exits_with(1);
        assert_shown!(name, stable(&shown.stderr, place.path()));
        assert!(shown.stdout.contains("ERROR="), "{}", shown.stdout);
    };
    let given = "      - input: ref('buys')\n        rows:\n          - {user_id: 1, price: 2.50, tags: [x, 'y z'], at: '2026-01-01 12:00:30'}\n";
    wrong(
        given,
        "",
        "unit_test_missing_input",
        "unit_test:pages_and_prices_of_a_minute",
    );
    wrong(
        "{user_id: 1, price: 2.50,",
        "{usr_id: 1, price: 2.50,",
        "unit_test_unknown_given_column",
        "unit_test:pages_and_prices_of_a_minute",
    );
    wrong(
        "user_id: 1, pages: 2,",
        "user_id: 1, page: 2,",
        "unit_test_unknown_expected_column",
        "unit_test:pages_and_prices_of_a_minute",
    );
    wrong(
        "price: 2.50,",
        "price: cheap,",
        "unit_test_wrong_value",
        "unit_test:pages_and_prices_of_a_minute",
    );
}

#[test]
fn coverage_names_models_and_branches() {
    let place = Place::fixture("testing");
    let shown = place.ok(&["test", "--coverage", "--select", "totals countries"]);
    let (_, coverage) = shown.stdout.split_once("Models without").unwrap();
    assert_shown!("coverage", format!("Models without{coverage}"));
    let json = place.ok(&["test", "--coverage", "--output", "json"]).json();
    assert_eq!(json["coverage"]["reached"], 3);
    assert_eq!(json["coverage"]["branches"], 3);
}

#[test]
fn watch_runs_the_tests_again_when_a_file_changes() {
    let place = Place::fixture("testing");
    let arguments = ["test", "--watch", "--select", "unit_test:sizes"];
    let mut child = place.spawn(&arguments);
    let (send, lines) = channel();
    let stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    let wait_for = |what: &str| loop {
        let line = lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no {what}"));
        if line.contains(what) {
            return;
        }
    };
    wait_for("PASS=1 ");
    edit(&place, "models/totals.sql", "'large'", "'huge'");
    wait_for("large→huge");
    wait_for("ERROR=1 ");
    edit(&place, "models/totals.sql", "'huge'", "'large'");
    wait_for("PASS=1 ");
    kill(
        Pid::from_raw(i32::try_from(child.id()).unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    reader.join().unwrap();
}

/// The fixture without what needs a broker, built on a stack of its own.
fn built() -> Place {
    let place = Place::fixture("testing");
    for model in [
        "clicks",
        "buys",
        "per_minute",
        "hopping",
        "closed",
        "recent",
        "history",
    ] {
        fs::remove_file(place.path().join(format!("models/{model}.sql"))).unwrap();
    }
    let tests = place.path().join("models/unit_tests.yml");
    let text = fs::read_to_string(&tests).unwrap();
    let (kept, _) = text
        .split_once("  - name: pages_and_prices_of_a_minute")
        .unwrap();
    fs::write(tests, kept).unwrap();
    place.up();
    place
}

#[test]
fn data_tests_ask_the_database() {
    let place = built();
    place.ok(&["run"]);
    let shown = place
        .rwt(&["test", "--resource-type", "test", "--threads", "1"])
        .exits_with(1);
    assert_shown!("data_tests", stable(&shown.stdout, place.path()));
    let compiled = place
        .path()
        .join("target/compiled/shop/tests/no_open_orders.sql");
    assert!(
        fs::read_to_string(compiled)
            .unwrap()
            .contains("status = 'open'")
    );
    let results = fs::read(place.path().join("target/run_results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    let of = |name: &str| {
        let results = results["results"].as_array().unwrap();
        let found = results
            .iter()
            .find(|r| r["unique_id"].as_str().unwrap().contains(name));
        found.unwrap_or_else(|| panic!("no {name}")).clone()
    };
    assert_eq!(of("no_open_orders")["status"], "fail");
    assert_eq!(of("no_open_orders")["failures"], 1);
    assert_eq!(of("accepted_values")["status"], "warn");
    assert_eq!(of("every_customer_is_known")["status"], "warn");
    assert_eq!(of("test.shop.relationships_orders")["status"], "pass");

    // Failing rows are kept where that is asked for, and shown from there.
    let stored = place
        .rwt(&["test", "--select", "no_open_orders", "--store-failures"])
        .exits_with(1);
    assert!(
        stored.stdout.contains("dbt_test__audit"),
        "{}",
        stored.stdout
    );
    let rows = place
        .sql()
        .column("select id || status from public_dbt_test__audit.no_open_orders");
    assert_eq!(rows, ["3open"]);
}

#[test]
fn a_live_test_is_made_once_and_read_thereafter() {
    let place = built();
    edit(
        &place,
        "tests/no_open_orders.sql",
        "tags=['singular_one']",
        "store_failures_as='materialized_view'",
    );
    place.ok(&["run"]);
    let id = || {
        place
            .sql()
            .column("select id from rw_catalog.rw_materialized_views where name = 'no_open_orders'")
    };
    let test = ["test", "--select", "no_open_orders"];
    place.rwt(&test).exits_with(1);
    let first = id();
    assert_eq!(first.len(), 1);
    place.rwt(&test).exits_with(1);
    assert_eq!(id(), first, "it is read, not made anew");
    let sql = place.sql();
    sql.rows("update public.orders set status = 'paid' where id = 3");
    sql.rows("flush");
    place.ok(&test);
    assert_eq!(id(), first);
    // Another query makes another view.
    edit(&place, "tests/no_open_orders.sql", "'open'", "'lost'");
    place.rwt(&test).exits_with(1);
    let second = id();
    assert_ne!(second, first);
    place
        .rwt(&["test", "--select", "no_open_orders", "--full-refresh"])
        .exits_with(1);
    assert_ne!(id(), second);
}

#[test]
fn build_stops_below_what_fails() {
    let place = built();
    // Seeds, their tests, totals, its tests, countries: what fails here stops nothing.
    edit(
        &place,
        "tests/no_open_orders.sql",
        "where status = 'open'",
        "where status = 'never'",
    );
    let shown = place.ok(&["build", "--threads", "1"]);
    assert_shown!("build", stable(&shown.stdout, place.path()));
    assert_eq!(place.sql().count("countries"), 2);

    // A data test of `totals` stops `countries`, which is not changed.
    edit(
        &place,
        "models/countries.sql",
        "country, amount",
        "country, amount, 1 as one",
    );
    edit(&place, "models/schema.yml", "least: 10", "least: 25");
    let shown = place.rwt(&["build", "--threads", "1"]).exits_with(1);
    assert_shown!(
        "build_stopped_by_a_data_test",
        stable(&shown.stdout, place.path())
    );
    let columns = place.sql().column("select column_name from information_schema.columns where table_name = 'countries' order by 1");
    assert_eq!(columns, ["amount", "country"]);

    // A unit test of `totals` stops `totals`.
    edit(&place, "models/schema.yml", "least: 25", "least: 10");
    edit(&place, "models/totals.sql", "'large'", "'huge'");
    let shown = place.rwt(&["build", "--threads", "1"]).exits_with(1);
    assert_shown!("build_stopped_by_a_unit_test", sorted(&shown.stdout));
    let views = place
        .sql()
        .column("select definition from rw_catalog.rw_materialized_views where name = 'totals'");
    assert!(views[0].contains("'large'"), "{views:?}");

    edit(&place, "models/totals.sql", "'huge'", "'large'");
    place.ok(&["build"]);
    let columns = place.sql().column("select column_name from information_schema.columns where table_name = 'countries' order by 1");
    assert_eq!(columns, ["amount", "country", "one"]);
}

#[test]
fn a_recorded_unit_test_holds() {
    let place = built();
    place.ok(&["run"]);
    let shown = place.ok(&["test", "--record", "totals", "--limit", "3"]);
    assert!(
        shown.stdout.contains("models/totals_recorded.yml"),
        "{}",
        shown.stdout
    );
    let recorded = fs::read_to_string(place.path().join("models/totals_recorded.yml")).unwrap();
    assert!(recorded.contains("input: ref('big_orders')"), "{recorded}");
    assert!(recorded.contains("input: ref('customers')"), "{recorded}");
    place.ok(&["down"]);
    // The last command starts the stack once more.
    place.write_ports();
    place.ok(&["test", "--select", "path:models/totals_recorded.yml"]);
    // It pins the model down.
    edit(
        &place,
        "models/totals.sql",
        "count(*) as orders",
        "count(*) + 1 as orders",
    );
    let shown = place
        .rwt(&["test", "--select", "path:models/totals_recorded.yml"])
        .exits_with(1);
    assert!(shown.stdout.contains("→"), "{}", shown.stdout);
    // Nothing is overwritten.
    let again = place.rwt(&["test", "--record", "totals"]).exits_with(1);
    assert!(
        again.stderr.contains("rwt::test::recorded"),
        "{}",
        again.stderr
    );
}

#[test]
fn tests_are_listed_and_chosen() {
    let place = Place::fixture("testing");
    let listed = |arguments: &[&str]| place.ok(arguments).stdout;
    assert_eq!(
        listed(&["ls", "--resource-type", "unit_test", "--select", "totals"]),
        "unit_test:shop.seeds_can_be_replaced\nunit_test:shop.sizes\nunit_test:shop.small_orders_do_not_count\n"
    );
    assert_eq!(
        listed(&["ls", "--select", "tag:quick"]),
        "unit_test:shop.small_orders_do_not_count\n"
    );
    assert_eq!(
        listed(&["ls", "--select", "test_type:singular"]),
        "shop.no_open_orders\n"
    );
    let none = place.ok(&["test", "--select", "unit_test:sizes", "--exclude", "totals"]);
    assert!(
        none.stdout.contains("no test is selected"),
        "{}",
        none.stdout
    );
}
