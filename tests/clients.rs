//! Clients of other languages on a running stack, each where its variable names it:
//!
//! | Variable | Names | Clients |
//! |---|---|---|
//! | `RWT_PYTHON` | an interpreter with `tests/python-requirements.txt` | psycopg 3, psycopg2, pg8000, asyncpg, SQLAlchemy |
//! | `RWT_DBT_PYTHON` | the interpreter that `tests/conformance/record.py` makes | dbt-core with dbt-risingwave |
//! | `RWT_NODE` | node; `pg` is found from `NODE_PATH` | node-postgres |
//! | `RWT_PGJDBC` | pgjdbc's jar; java 11 or newer is on the path | pgjdbc |
//! | `RWT_PSQL` | psql; without the variable the one on the path | psql |

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may")]

mod support;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{Finished, Place, finish, repository};

/// Runs a client to its end.
fn run(command: &mut Command) -> Finished {
    let running = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    finish(running)
}

/// What the variable names; it says what is not tried where there is no such variable.
fn named(variable: &str, client: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        eprintln!("{variable} is not set: {client} is not tried");
    }
    value
}

/// A stack of the example project without its models.
fn stack() -> Place {
    let place = Place::example();
    place.up();
    place
}

/// A script of `tests/clients`.
fn script(name: &str) -> PathBuf {
    repository().join("tests/clients").join(name)
}

/// A script of `tests/clients` in Python, on a stack of its own.
fn python(name: &str, client: &str) {
    if let Some(interpreter) = named("RWT_PYTHON", client) {
        let place = stack();
        run(Command::new(interpreter)
            .arg(script(name))
            .arg(place.engine_port.to_string()))
        .exits_with(0);
    }
}

#[test]
fn psycopg_reads_and_writes() {
    python("postgres_clients.py", "psycopg");
}

#[test]
fn asyncpg_reads_and_writes() {
    python("asyncpg_client.py", "asyncpg");
}

#[test]
fn drivers_below_sqlalchemy_read_and_write() {
    python(
        "sqlalchemy_client.py",
        "SQLAlchemy with psycopg2 and pg8000",
    );
}

/// dbt on a project, as the script of this part does it.
fn dbt(part: &str, project: &Path) {
    let Some(interpreter) = named("RWT_DBT_PYTHON", "dbt") else {
        return;
    };
    let place = stack();
    run(Command::new(interpreter)
        .arg(script("dbt_client.py"))
        .arg(part)
        .arg(project)
        .arg(place.engine_port.to_string())
        .arg(place.kafka_port.to_string()))
    .exits_with(0);
}

#[test]
fn dbt_runs_the_example() {
    // a copy, for the repository's own folder may hold anything
    dbt("example", Place::example().path());
}

#[test]
fn dbt_runs_every_materialization() {
    dbt("every", &script("dbt"));
}

#[test]
fn node_postgres_reads_and_writes() {
    if let Some(node) = named("RWT_NODE", "node-postgres") {
        let place = stack();
        run(Command::new(node)
            .arg(script("node_client.js"))
            .arg(place.engine_port.to_string()))
        .exits_with(0);
    }
}

#[test]
fn pgjdbc_reads_and_writes() {
    if let Some(jar) = named("RWT_PGJDBC", "pgjdbc") {
        let place = stack();
        run(Command::new("java")
            .arg("-cp")
            .arg(jar)
            .arg(script("JdbcClient.java"))
            .arg(place.engine_port.to_string()))
        .exits_with(0);
    }
}

#[test]
fn psql_lists_what_is_there() {
    let psql = std::env::var("RWT_PSQL").unwrap_or_else(|_| "psql".into());
    if std::env::var("RWT_PSQL").is_err() && Command::new(&psql).arg("-V").output().is_err() {
        eprintln!("psql is not on the path: psql is not tried");
        return;
    }
    let place = stack();
    place.ok(&["run"]);
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(&psql);
        command
            .args(["-X", "-h", "127.0.0.1", "-U", "root", "-d", "dev", "-At"])
            .args(["-v", "ON_ERROR_STOP=1", "-p"])
            .arg(place.engine_port.to_string());
        for argument in arguments {
            command.args([OsStr::new("-c"), OsStr::new(argument)]);
        }
        run(&mut command).exits_with(0).stdout
    };
    ask(&[
        "create view seen as select * from funnel",
        "create index users_country on users(country)",
    ]);
    for (command, line) in [
        (r"\d", "public|funnel|materialized view|root"),
        (r"\dt", "public|users|table|root"),
        (r"\dv", "public|seen|view|root"),
        (r"\dm", "public|funnel|materialized view|root"),
        (r"\di", "public|users_country|index|root|users"),
        (r"\dn", "public|root"),
        (r"\l", "dev|root|UTF8|C|C||libc|"),
    ] {
        let listed = ask(&[command]);
        assert!(listed.lines().any(|l| l == line), "{command}:\n{listed}");
    }
}
