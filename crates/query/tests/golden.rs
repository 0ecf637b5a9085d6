//! The suites recorded from a real RisingWave, as far as they are about queries. What this crate answers otherwise is
//! listed in `golden_known.txt`, line by line: a new difference fails, and so does one that is gone.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use rwt_sql::DataType;
use support::database::Database;
use support::script::{check, fold, records};

const SUITES: &[&str] = &[
    "dml_insert",
    "dml_update_delete",
    "func_string",
    "func_tochar",
    "func_udf_sql",
    "mv_aggregates",
    "mv_basic",
    "mv_joins",
    "mv_setops",
    "mv_temporal",
    "query_aggregate",
    "seed_clickstream",
    "seed_funnel",
    "syntax_names",
    "table_defaults",
    "types_bool",
    "types_casts",
    "types_datetime",
    "types_float",
    "types_int",
    "types_numeric",
    "types_roundtrip",
    "types_struct",
    "types_text",
    "types_timestamptz",
    "view_basic",
    "window_tumble_hop",
];

/// Statements about the catalog, sessions and DDL are the engine's.
fn foreign(sql: &str) -> bool {
    let lower = sql.trim_start().to_ascii_lowercase();
    let verbs = [
        "show",
        "describe",
        "alter",
        "create function",
        "truncate",
        "merge",
        "drop",
        "create index",
    ];
    let words = [
        "information_schema",
        "rw_catalog",
        "pg_catalog",
        "pg_namespace",
        "for system_time",
    ];
    verbs.iter().any(|v| lower.starts_with(v))
        && !lower.starts_with("drop table")
        && !lower.starts_with("drop mat")
        || words.iter().any(|w| lower.contains(w))
}

/// The functions that `func_udf_sql` creates with DDL.
fn functions(database: &mut Database) {
    use DataType::{BigInt, Integer, Numeric, Varchar};
    database.function(
        "fus_add",
        &[(None, Integer), (None, Integer)],
        Integer,
        "SELECT $1 + $2",
    );
    database.function(
        "fus_rate",
        &[(Some("a"), BigInt), (Some("b"), BigInt)],
        Numeric,
        "SELECT CASE WHEN b > 0 THEN round(a::numeric / b, 2) ELSE 0 END",
    );
    database.function(
        "fus_name",
        &[(Some("first"), Varchar), (Some("last"), Varchar)],
        Varchar,
        "select first || ' ' || last",
    );
}

#[tokio::test]
async fn answers_as_risingwave() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/sql");
    let only = std::env::var("RWT_SUITE").ok();
    let mut different = BTreeSet::new();
    let mut checked = 0;
    for suite in SUITES {
        if only.as_deref().is_some_and(|only| only != *suite) {
            continue;
        }
        let text = std::fs::read_to_string(root.join(format!("{suite}.slt"))).unwrap();
        let mut database = Database::default();
        functions(&mut database);
        for record in records(&text).iter().filter(|r| !foreign(&r.sql)) {
            checked += 1;
            if let Err(difference) = check(&mut database, record).await {
                println!(
                    "{suite}.slt:{}: {}\n    {difference}",
                    record.line,
                    fold(&record.sql)
                );
                different.insert(format!("{suite}:{} {}", record.line, fold(&record.sql)));
            }
        }
    }
    let known_path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_known.txt");
    if std::env::var("RWT_WRITE_KNOWN").is_ok() {
        let lines: Vec<&str> = different.iter().map(String::as_str).collect();
        std::fs::write(&known_path, lines.join("\n") + "\n").unwrap();
    }
    println!("{} of {checked} records differ", different.len());
    if only.is_none() {
        let known = std::fs::read_to_string(&known_path).unwrap();
        let known: BTreeSet<String> = known
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
            .map(ToOwned::to_owned)
            .collect();
        let new: Vec<_> = different.difference(&known).collect();
        let gone: Vec<_> = known.difference(&different).collect();
        assert!(
            new.is_empty() && gone.is_empty(),
            "new differences: {new:#?}\nno longer different: {gone:#?}"
        );
    }
}
