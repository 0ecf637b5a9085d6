//! Every Iceberg table as SQL reads it, and as PyIceberg and DuckDB read it from the same files.
//!
//! The readers need Python: `RWT_PYTHON` names an interpreter that has `tests/lake/requirements.txt`. Without it the
//! comparison is between the tables and what they are fed from.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};
use support::sql::Sql;
use support::topics::{self, TOPICS};
use support::{Place, finish, repository, until};

/// What feeds which table.
const FED: [(&str, &str); 9] = [
    ("src_page", "iceberg_page_views"),
    ("src_cart", "iceberg_cart_events"),
    ("src_purchase", "iceberg_purchases"),
    ("users", "iceberg_users"),
    ("sessions", "iceberg_sessions"),
    ("devices", "iceberg_devices"),
    ("campaigns", "iceberg_campaigns"),
    ("page_catalog", "iceberg_page_catalog"),
    ("clickstream_events", "iceberg_clickstream_events"),
];

/// RisingWave's own column of tables without a primary key; SQL hides it.
const ROW_ID: &str = "_risingwave_iceberg_row_id";

/// A column's summary in the words of `read_lake.py`.
fn summary(sql: &Sql, relation: &str, column: &str, data_type: &str) -> Value {
    let one = |expression: &str| -> Option<String> {
        let rows = sql.rows(&format!("select {expression} from {relation}"));
        rows.into_iter().next()?.into_iter().next()?
    };
    let number = |expression: &str| -> Value {
        let cell = one(expression).unwrap_or_else(|| "0".to_owned());
        json!(cell.parse::<i64>().expect("a count"))
    };
    let mut summary = Map::new();
    summary.insert("non_null".to_owned(), number(&format!("count({column})")));
    let ends = match data_type {
        "boolean" => {
            summary.insert(
                "true".to_owned(),
                number(&format!("count(case when {column} then 1 end)")),
            );
            false
        }
        "integer" | "bigint" => {
            let sum = one(&format!("sum({column})")).unwrap_or_else(|| "0".to_owned());
            summary.insert("sum".to_owned(), json!(sum));
            true
        }
        "character varying" => {
            summary.insert(
                "length".to_owned(),
                number(&format!("sum(length({column}))")),
            );
            true
        }
        "double precision" => {
            summary.insert("nan".to_owned(), json!(0));
            true
        }
        "timestamp without time zone" => true,
        other => panic!("no summary is defined for {other}"),
    };
    if ends {
        for end in ["min", "max"] {
            let cell = one(&format!("{end}({column})"));
            let value = match (data_type, cell) {
                ("double precision", Some(cell)) => json!(cell.parse::<f64>().expect("a number")),
                (_, cell) => json!(cell),
            };
            summary.insert(end.to_owned(), value);
        }
    }
    Value::Object(summary)
}

/// `{"rows": …, "columns": {…}}` of a relation.
fn contents(sql: &Sql, relation: &str) -> Value {
    let columns = sql.rows(&format!(
        "select column_name, data_type from information_schema.columns \
         where table_schema = 'public' and table_name = '{relation}' order by ordinal_position"
    ));
    assert!(!columns.is_empty(), "{relation} has no columns");
    let columns: Map<String, Value> = columns
        .into_iter()
        .map(|row| {
            let [name, data_type] = <[Option<String>; 2]>::try_from(row).expect("two cells");
            let (name, data_type) = (name.expect("a name"), data_type.expect("a type"));
            let summary = summary(sql, relation, &name, &data_type);
            (name, summary)
        })
        .collect();
    json!({"rows": sql.count(relation), "columns": columns})
}

/// What a reader saw, without the column that SQL hides.
fn seen(report: &Value, table: &str, reader: &str) -> Value {
    let mut contents = report[format!("public.{table}")][reader].clone();
    let rows = contents["rows"].clone();
    let columns = contents["columns"]
        .as_object_mut()
        .expect("a reader lists columns");
    let row_id = columns
        .shift_remove(ROW_ID)
        .expect("tables without a key have row ids");
    assert_eq!(row_id["non_null"], rows, "{table}: a row without an id");
    contents
}

#[test]
fn sql_pyiceberg_and_duckdb_read_the_same_rows() {
    let place = Place::example();
    place.up();
    place.ok(&["run"]);
    place.ok(&[
        "produce", "--seed", "3", "--start", "1h", "--rate", "20", "--events", "20000",
    ]);
    place.ok(&[
        "produce", "--direct", "--seed", "3", "--start", "1h", "--rate", "5", "--events", "6000",
    ]);
    let sql = place.sql();
    for (topic, source) in TOPICS {
        sql.until_count(source, topics::size(&place.bootstrap(), topic));
    }
    let mut expected = BTreeMap::new();
    for (upstream, table) in FED {
        let count = sql.count(upstream);
        assert!(count > 0, "{upstream} is empty");
        sql.until_count(table, count);
        let contents_of_table = contents(&sql, table);
        assert_eq!(
            contents_of_table,
            contents(&sql, upstream),
            "{table} and {upstream}"
        );
        expected.insert(table, contents_of_table);
    }

    let Ok(python) = std::env::var("RWT_PYTHON") else {
        eprintln!("RWT_PYTHON is not set: PyIceberg and DuckDB do not read the lake");
        return;
    };
    // The readers see what is committed; rows that SQL shows are.
    let reading = Command::new(&python)
        .arg(repository().join("tests/lake/read_lake.py"))
        .arg(place.data_dir().join("lake"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    let report = finish(reading).exits_with(0).json();
    assert_eq!(report.as_object().unwrap().len(), FED.len(), "{report}");
    for (table, expected) in &expected {
        for reader in ["pyiceberg", "duckdb"] {
            assert_eq!(
                &seen(&report, table, reader),
                expected,
                "{table} by {reader}"
            );
        }
    }
}

#[test]
fn a_lake_without_events_has_all_tables() {
    let place = Place::example();
    place.up();
    place.ok(&["run"]);
    let sql = place.sql();
    until("all tables can be read", || {
        for (_, table) in FED {
            match sql.try_rows(&format!("select count(*) from {table}")) {
                Ok(rows) => assert_eq!(rows, [[Some("0".to_owned())]]),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    });
}
