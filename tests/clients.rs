//! Clients of other languages on a running stack, if `RWT_PYTHON` names an interpreter that has them
//! (`tests/python-requirements.txt`).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::process::{Command, Stdio};

use support::{Place, finish, repository};

#[test]
fn psycopg_reads_and_writes() {
    let Ok(python) = std::env::var("RWT_PYTHON") else {
        eprintln!("RWT_PYTHON is not set: psycopg is not tried");
        return;
    };
    let place = Place::example();
    place.up();
    let running = Command::new(&python)
        .arg(repository().join("tests/clients/postgres_clients.py"))
        .arg(place.engine_port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    finish(running).exits_with(0);
}
