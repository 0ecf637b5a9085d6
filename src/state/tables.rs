//! The tables of the schema `rwt`.

use rwt_compiler::materialize::DatabaseError;
use rwt_plan::state::STATE_FORMAT;
use rwt_sql::Literal;

use crate::client::Connection;

/// What makes them. Each may be there already.
///
/// `lock` ignores rows whose key exists, which makes an INSERT into it a compare-and-set; the others replace them.
const TABLES: [&str; 7] = [
    "create schema if not exists rwt",
    "create table if not exists rwt.format (\
     id int primary key, format int, rwt_version varchar)",
    "create table if not exists rwt.objects (\
     project varchar, target_schema varchar, unique_id varchar, schema_name varchar, name varchar, kind varchar, \
     object_id bigint, fingerprint varchar, deployment varchar, applied_at timestamptz, record varchar, \
     primary key (project, target_schema, unique_id))",
    "create table if not exists rwt.leftovers (\
     object_id bigint primary key, schema_name varchar, name varchar, kind varchar, deployment varchar, keep boolean)",
    "create table if not exists rwt.deployments (\
     id varchar primary key, status varchar, command varchar, project varchar, target varchar, holder varchar, \
     rwt_version varchar, started_at timestamptz, ended_at timestamptz, plan varchar)",
    "create table if not exists rwt.journal (\
     deployment varchar, step int, event varchar, at timestamptz, detail varchar, \
     primary key (deployment, step, event))",
    "create table if not exists rwt.lock (\
     generation bigint, beat bigint, token varchar, holder varchar, machine varchar, process int, \
     deployment varchar, released boolean, at timestamptz, \
     primary key (generation, beat)) on conflict do nothing",
];

/// Makes the tables, and notes their format.
///
/// # Errors
/// What the server refused.
pub(super) fn create(connection: &Connection) -> Result<(), DatabaseError> {
    for table in TABLES {
        connection.run(table)?;
    }
    let version = Literal::Text(env!("CARGO_PKG_VERSION"));
    connection.run(&format!(
        "insert into rwt.format values (1, {STATE_FORMAT}, {version}); flush"
    ))?;
    Ok(())
}

/// The format of the tables and the version that wrote it; None where there are no tables.
///
/// # Errors
/// What the server refused.
pub(super) fn format(connection: &Connection) -> Result<Option<(u32, String)>, DatabaseError> {
    let rows = match connection.query("select format, rwt_version from rwt.format") {
        Ok(result) => result.rows,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(rows.into_iter().next().and_then(|row| {
        let mut cells = row.into_iter();
        let format = cells.next().flatten()?.parse().ok()?;
        Some((format, cells.next().flatten().unwrap_or_default()))
    }))
}

/// Whether an error says that a table or its schema does not exist.
fn is_missing(error: &DatabaseError) -> bool {
    error.message.contains("table or source not found")
        || error.message.contains("schema not found")
        || error.sqlstate.as_deref() == Some("42P01")
        || error.sqlstate.as_deref() == Some("3F000")
}
