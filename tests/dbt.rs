//! What a project that dbt has run until now asks of a run: comments on statements, hooks that are queries.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;

use support::proxy::{Answer, Proxy};
use support::{Finished, Place, finish};

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
