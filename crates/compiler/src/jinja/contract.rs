//! Model contracts: what columns a query has, and what to say when they are not those of the property file
//! (dbt-core 1.12, `ContractError`).

use minijinja::value::{Kwargs, from_args};
use minijinja::{Error, State, Value};

use super::collections::list;
use super::column::Column;
use super::error::{raise, raise_database};
use super::scope::scope_of;
use super::statement::execute;

/// One column as contracts compare it.
#[derive(Debug, Clone)]
struct Shown {
    name: String,
    data_type: String,
}

/// What dbt calls a type that PostgreSQL's wire protocol numbers `oid`: psycopg2's name, and `TEXT` for its `STRING`.
fn type_word(oid: u32) -> String {
    let word = match oid {
        20 => "LONGINTEGER",
        21 | 23 => "INTEGER",
        700 | 701 => "FLOAT",
        1700 => "DECIMAL",
        18 | 19 | 25 | 1042 | 1043 => "TEXT",
        16 => "BOOLEAN",
        1114 => "DATETIME",
        1184 => "DATETIMETZ",
        1083 | 1266 => "TIME",
        1082 => "DATE",
        704 | 1186 => "INTERVAL",
        17 => "BINARY",
        26 => "ROWID",
        114 => "JSON",
        3802 => "JSONB",
        1000 => "BOOLEANARRAY",
        1001 => "BINARYARRAY",
        1002 | 1003 | 1009 | 1014 | 1015 => "STRINGARRAY",
        1005..=1007 => "INTEGERARRAY",
        1016 => "LONGINTEGERARRAY",
        1021 | 1022 => "FLOATARRAY",
        1115 => "DATETIMEARRAY",
        1182 => "DATEARRAY",
        1183 | 1270 => "TIMEARRAY",
        1185 => "DATETIMETZARRAY",
        1187 => "INTERVALARRAY",
        1231 => "DECIMALARRAY",
        199 => "JSONARRAY",
        3807 => "JSONBARRAY",
        other => return format!("unknown type_code {other}"),
    };
    word.to_owned()
}

/// `adapter.get_column_schema_from_query(sql)`: the columns of the last statement; those before it are sent.
///
/// # Errors
/// What the database refused.
pub fn column_schema(state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let (sql,): (String,) = from_args(args)?;
    let scope = scope_of(state)?;
    let Some(session) = &scope.session else {
        return Ok(list([]));
    };
    let pieces = rwt_sql::split_script(&sql).unwrap_or_default();
    let last = match pieces.split_last() {
        Some((last, before)) => {
            for piece in before {
                execute(&scope, piece.text)?;
            }
            last.text
        }
        None => sql.as_str(),
    };
    let columns = session
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .columns(last)
        .map_err(raise_database)?;
    Ok(list(columns.into_iter().map(|(name, oid)| {
        let data_type = type_word(oid);
        Column {
            name,
            data_type,
            ..Column::default()
        }
        .value()
    })))
}

/// Compares what a model's text alone tells of its columns with the contract: their number and names. Types wait for the
/// database, and so does everything where the text has `*`.
///
/// # Errors
/// The contract does not hold.
pub fn check_text(sql: &str, columns: &Value) -> Result<Value, Error> {
    let Some(found) = rwt_sql::output_columns(sql) else {
        return Ok(Value::from(""));
    };
    let mut wanted = Vec::new();
    for key in columns.try_iter()? {
        let column = columns.get_item(&key)?;
        let text = |name: &str| -> Result<String, Error> {
            Ok(column
                .get_attr(name)?
                .as_str()
                .unwrap_or_default()
                .to_owned())
        };
        let name = text("name")?;
        let quoted = column.get_attr("quote")?.is_true();
        wanted.push(Shown {
            name: if quoted { name } else { name.to_lowercase() },
            data_type: text("data_type")?,
        });
    }
    let is_wanted = |name: &str| wanted.iter().any(|column| column.name == name);
    let all_known = found.iter().all(Option::is_some);
    let unknown_name = found.iter().flatten().any(|name| !is_wanted(name));
    if found.len() == wanted.len() && !unknown_name {
        return Ok(Value::from(""));
    }
    let unnamed = |index: usize| format!("(column {})", index + 1);
    let found: Vec<Shown> = found
        .into_iter()
        .enumerate()
        .map(|(index, name)| Shown {
            name: name.unwrap_or_else(|| unnamed(index)),
            data_type: String::new(),
        })
        .collect();
    // A column without a name may be any of those that seem to be missing.
    let mismatches = if all_known {
        mismatches(&wanted, &found, false)
    } else {
        mismatches(&[], &found, false)
            .into_iter()
            .filter(|row| !is_wanted(&row[0]))
            .collect()
    };
    Err(broken(mismatches))
}

/// `exceptions.raise_contract_error(yaml_columns, sql_columns)`
///
/// # Errors
/// Always.
pub fn raise_contract_error(args: &[Value]) -> Result<Value, Error> {
    let (yaml, sql, keywords): (Option<Value>, Option<Value>, Kwargs) = from_args(args)?;
    let named = |given: Option<Value>, key: &str| -> Result<Vec<Shown>, Error> {
        let by_name: Option<Value> = keywords.get(key)?;
        shown(&given.or(by_name).unwrap_or_default())
    };
    let (yaml, sql) = (named(yaml, "yaml_columns")?, named(sql, "sql_columns")?);
    keywords.assert_all_used()?;
    if yaml.is_empty() {
        return Err(raise(
            "rwt::jinja::raised",
            "This model has an enforced contract, and its 'columns' specification is missing",
            Some("list its columns with `name` and `data_type` in a property file".to_owned()),
        ));
    }
    Err(broken(mismatches(&yaml, &sql, true)))
}

/// `exceptions.column_type_missing(column_names)`
///
/// # Errors
/// Always.
pub fn column_type_missing(args: &[Value]) -> Result<Value, Error> {
    let (names, keywords): (Option<Value>, Kwargs) = from_args(args)?;
    let by_name: Option<Value> = keywords.get("column_names")?;
    keywords.assert_all_used()?;
    let names = names.or(by_name).unwrap_or_default();
    Err(raise(
        "rwt::jinja::raised",
        format!(
            "Contracted models require data_type to be defined for each column. Please ensure that the column name and \
             data_type are defined within the YAML configuration for the {names} column(s)."
        ),
        None,
    ))
}

fn shown(columns: &Value) -> Result<Vec<Shown>, Error> {
    if columns.is_undefined() || columns.is_none() {
        return Ok(Vec::new());
    }
    columns
        .try_iter()?
        .map(|column| {
            Ok(Shown {
                name: column.get_attr("name")?.to_string(),
                data_type: column.get_attr("data_type")?.to_string(),
            })
        })
        .collect()
}

/// Rows of the table: name, type in the query, type in the contract, reason; by name.
fn mismatches(yaml: &[Shown], sql: &[Shown], types: bool) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    for column in sql {
        match yaml.iter().find(|other| other.name == column.name) {
            Some(other) if types && other.data_type != column.data_type => rows.push([
                column.name.clone(),
                column.data_type.clone(),
                other.data_type.clone(),
                "data type mismatch".to_owned(),
            ]),
            Some(_) => {}
            None => rows.push([
                column.name.clone(),
                column.data_type.clone(),
                String::new(),
                "missing in contract".to_owned(),
            ]),
        }
    }
    for column in yaml {
        if !sql.iter().any(|other| other.name == column.name) {
            rows.push([
                column.name.clone(),
                String::new(),
                column.data_type.clone(),
                "missing in definition".to_owned(),
            ]);
        }
    }
    rows.sort_by(|a, b| a[0].cmp(&b[0]));
    rows
}

/// What to say of a query whose columns, by name and number of the type, are not those of the contract.
pub fn compare(wanted: &[(String, u32)], found: &[(String, u32)]) -> Option<String> {
    let shown = |columns: &[(String, u32)]| -> Vec<Shown> {
        let shown = columns.iter().map(|(name, oid)| Shown {
            name: name.clone(),
            data_type: type_word(*oid),
        });
        shown.collect()
    };
    let rows = mismatches(&shown(wanted), &shown(found), true);
    (!rows.is_empty()).then(|| report(&rows))
}

fn broken(rows: Vec<[String; 4]>) -> Error {
    raise("rwt::jinja::raised", report(&rows), None)
}

fn report(rows: &[[String; 4]]) -> String {
    let head = [
        "column_name",
        "definition_type",
        "contract_type",
        "mismatch_reason",
    ]
    .map(str::to_owned);
    let width = |i: usize| {
        let cells = rows.iter().chain(std::iter::once(&head));
        cells.map(|row| row[i].chars().count()).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    let line = |cells: &[String; 4]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let mut table = line(&head);
    table.push_str(&line(&widths.map(|width| "-".repeat(width))));
    for row in rows {
        table.push_str(&line(row));
    }
    format!(
        "This model has an enforced contract that failed.\n\
         Please ensure the name, data_type, and number of columns in your contract match the columns in your model's \
         definition.\n\n{table}"
    )
}
