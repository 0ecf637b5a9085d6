//! Rows of a unit test as a relation of the engine: each value is cast to its column's type by the engine itself, so that
//! it is read as RisingWave reads it.

use rwt_compiler::{Cell, RowValues, TestRow, TestRows};
use rwt_project::yaml::{Location, nearest};
use rwt_query::{Column, QueryError, Relation, Settings};
use rwt_sql::{DataType, Ident, Literal};
use serde_json::Value as Json;

use super::engine::{Known, UnitEngine};
use super::error::TestError;
use super::schemas::Shape;

/// Where rows go.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub engine: &'a UnitEngine,
    pub settings: &'a Settings,
    /// What they are rows of, for messages: `ref('users')`, or the model whose rows are expected.
    pub label: &'a str,
    /// The columns of that.
    pub shape: &'a Shape,
    /// Whether columns that are not named are part of the relation, as NULL.
    pub fills: bool,
}

/// Makes rows a relation.
///
/// # Errors
/// A column that is not there, or a value that its column does not take, with its place.
pub(super) async fn relation(rows: &TestRows, place: Place<'_>) -> Result<Relation, TestError> {
    match rows {
        TestRows::Values(values) => of_values(values, place).await,
        TestRows::Query { sql, at } => of_query(sql, at, place).await,
    }
}

async fn of_values(values: &RowValues, place: Place<'_>) -> Result<Relation, TestError> {
    let mut columns: Vec<Column> = Vec::new();
    for (index, (name, at)) in values.columns.iter().enumerate() {
        columns.push(match place.shape.column(name) {
            Some(column) => column.clone(),
            None if place.shape.is_complete => return Err(unknown_column(name, at, place)),
            None => Column::new(name.as_str(), inferred(values, index)),
        });
    }
    let named = columns.len();
    if place.fills {
        for column in &place.shape.columns {
            if columns.iter().all(|known| known.name != column.name) {
                columns.push(column.clone());
            }
        }
    }
    if values.rows.is_empty() || columns.is_empty() {
        return Ok(Relation::rows(columns, std::sync::Arc::default()));
    }
    let row = |row: &TestRow| row_sql(row, &columns, named, place);
    let rows: Result<Vec<String>, TestError> = values.rows.iter().map(row).collect();
    let names = columns
        .iter()
        .map(|column| Ident::new(column.name.as_str()));
    let names: Vec<String> = names.map(|name| name.quoted().to_string()).collect();
    let known = Known::default();
    // VALUES keeps the order in which the rows are written; the branches of a UNION ALL come as they are ready.
    let sql = format!(
        "select * from (values {}) as given ({})",
        rows?.join(", "),
        names.join(", ")
    );
    match place.engine.relation(&sql, &known, place.settings).await {
        Ok(relation) => Ok(relation),
        Err(error) => Err(find_cell(values, &columns, error, place).await),
    }
}

fn row_sql(
    row: &TestRow,
    columns: &[Column],
    named: usize,
    place: Place<'_>,
) -> Result<String, TestError> {
    let mut cells = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let cell = row.cells.get(index).filter(|_| index < named);
        let value = cell_sql(cell.unwrap_or(&Cell::Null), &column.data_type).ok_or_else(|| {
            TestError::Value {
                label: place.label.to_owned(),
                column: column.name.clone(),
                data_type: column.data_type.to_string(),
                cause: "a value of this type is written with `format: sql`".to_owned(),
                file: row.at.file().clone(),
                at: first_line(&row.at),
            }
        })?;
        cells.push(value);
    }
    Ok(format!("({})", cells.join(", ")))
}

/// Which value it is that its column does not take.
async fn find_cell(
    values: &RowValues,
    columns: &[Column],
    error: QueryError,
    place: Place<'_>,
) -> TestError {
    let known = Known::default();
    for row in &values.rows {
        for (cell, column) in row.cells.iter().zip(columns) {
            let Some(value) = cell_sql(cell, &column.data_type) else {
                continue;
            };
            let sql = format!("select {value} as value");
            if let Err(error) = place.engine.relation(&sql, &known, place.settings).await {
                return TestError::Value {
                    label: place.label.to_owned(),
                    column: column.name.clone(),
                    data_type: column.data_type.to_string(),
                    cause: error.to_string(),
                    file: row.at.file().clone(),
                    at: first_line(&row.at),
                };
            }
        }
    }
    TestError::Query {
        label: place.label.to_owned(),
        cause: error.to_string(),
        file: values.at.file().clone(),
        at: first_line(&values.at),
    }
}

async fn of_query(sql: &str, at: &Location, place: Place<'_>) -> Result<Relation, TestError> {
    let known = Known::default();
    let failed = |error: QueryError| TestError::Query {
        label: place.label.to_owned(),
        cause: error.to_string(),
        file: at.file().clone(),
        at: first_line(at),
    };
    let plan = place.engine.plan(sql, false, &known, place.settings).await;
    let given = plan.map_err(failed)?.columns().to_vec();
    let mut cells = Vec::new();
    for column in &given {
        let name = Ident::new(column.name.as_str());
        match place.shape.column(&column.name) {
            Some(known) => {
                let shown = Ident::new(known.name.as_str());
                cells.push(format!(
                    "cast({} as {}) as {}",
                    name.quoted(),
                    known.data_type,
                    shown.quoted()
                ));
            }
            None if place.shape.is_complete => {
                let within = at.within(&column.name, 0..column.name.len());
                return Err(unknown_column(&column.name, &within, place));
            }
            None => cells.push(name.quoted()),
        }
    }
    if place.fills {
        for column in &place.shape.columns {
            if given
                .iter()
                .all(|known| !known.name.eq_ignore_ascii_case(&column.name))
            {
                let name = Ident::new(column.name.as_str());
                cells.push(format!(
                    "cast(null as {}) as {}",
                    column.data_type,
                    name.quoted()
                ));
            }
        }
    }
    let sql = format!("select {} from ({sql}\n) as given", cells.join(", "));
    let relation = place.engine.relation(&sql, &known, place.settings).await;
    relation.map_err(failed)
}

fn unknown_column(name: &str, at: &Location, place: Place<'_>) -> TestError {
    let names = place
        .shape
        .columns
        .iter()
        .map(|column| column.name.as_str());
    let help = match nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its columns are: {}", names.collect::<Vec<_>>().join(", ")),
    };
    TestError::UnknownColumn {
        label: place.label.to_owned(),
        column: name.to_owned(),
        help,
        file: at.file().clone(),
        at: first_line(at),
    }
}

/// A label over many lines hides what it marks.
pub(super) fn first_line(at: &Location) -> miette::SourceSpan {
    let text = at.text();
    let end = text.find('\n').unwrap_or(text.len());
    (at.range().start, text[..end].trim_end().len()).into()
}

/// A value as an expression of a type; none where it cannot be written as one.
fn cell_sql(cell: &Cell, data_type: &DataType) -> Option<String> {
    let value = match cell {
        Cell::Null => "null".to_owned(),
        Cell::Text(text) => Literal::Text(text).to_string(),
        Cell::Value(value) => return json_sql(value, data_type),
    };
    Some(format!("cast({value} as {data_type})"))
}

fn json_sql(value: &Json, data_type: &DataType) -> Option<String> {
    let text = |text: &str| Literal::Text(text).to_string();
    let value = match (value, data_type) {
        (Json::Null, _) => "null".to_owned(),
        (Json::String(value), _) => text(value),
        (value, DataType::Jsonb) => text(&value.to_string()),
        (Json::Bool(value), _) => value.to_string(),
        // As text where text is wanted; a negative number needs its brackets.
        (Json::Number(number), DataType::Varchar) => text(&number.to_string()),
        (Json::Number(number), _) => format!("({number})"),
        (Json::Array(items), DataType::List(item)) => {
            if items.is_empty() {
                text("{}")
            } else {
                let items: Option<Vec<String>> =
                    items.iter().map(|value| json_sql(value, item)).collect();
                format!("array[{}]", items?.join(", "))
            }
        }
        (Json::Object(map), DataType::Struct(fields)) => {
            let items: Option<Vec<String>> = fields
                .iter()
                .map(|(name, data_type)| json_sql(map.get(name).unwrap_or(&Json::Null), data_type))
                .collect();
            format!("row({})", items?.join(", "))
        }
        (Json::Array(items), DataType::Struct(fields)) if items.len() == fields.len() => {
            let items: Option<Vec<String>> = items
                .iter()
                .zip(fields)
                .map(|(value, (_, data_type))| json_sql(value, data_type))
                .collect();
            format!("row({})", items?.join(", "))
        }
        (Json::Object(map), DataType::Map(key, item)) => {
            let pairs: Option<Vec<String>> = map
                .iter()
                .map(|(name, value)| {
                    let name = json_sql(&Json::from(name.as_str()), key)?;
                    Some(format!("{name}: {}", json_sql(value, item)?))
                })
                .collect();
            format!("map {{{}}}", pairs?.join(", "))
        }
        (value @ (Json::Array(_) | Json::Object(_)), DataType::Varchar) => text(&value.to_string()),
        _ => return None,
    };
    Some(format!("cast({value} as {data_type})"))
}

/// The type of a column that nothing declares, by its values: the narrowest that takes all of them.
fn inferred(values: &RowValues, index: usize) -> DataType {
    let cells = values.rows.iter().filter_map(|row| row.cells.get(index));
    let mut found: Option<DataType> = None;
    for cell in cells {
        let Some(next) = type_of(cell) else { continue };
        found = Some(match found {
            None => next,
            Some(so_far) => wider(so_far, next),
        });
    }
    found.unwrap_or(DataType::Varchar)
}

fn wider(a: DataType, b: DataType) -> DataType {
    use DataType::{BigInt, Date, Integer, List, Numeric, Timestamp, Timestamptz, Varchar};
    let rank = |t: &DataType| match t {
        Integer => Some(0),
        BigInt => Some(1),
        Numeric => Some(2),
        _ => None,
    };
    match (&a, &b) {
        _ if a == b => a,
        _ if rank(&a).is_some() && rank(&b).is_some() => {
            if rank(&a) > rank(&b) {
                a
            } else {
                b
            }
        }
        (Date, Timestamp) | (Timestamp, Date) => Timestamp,
        (Date | Timestamp, Timestamptz) | (Timestamptz, Date | Timestamp) => Timestamptz,
        (List(a), List(b)) => List(Box::new(wider((**a).clone(), (**b).clone()))),
        _ => Varchar,
    }
}

fn type_of(cell: &Cell) -> Option<DataType> {
    match cell {
        Cell::Null | Cell::Value(Json::Null) => None,
        Cell::Text(text) => Some(type_of_text(text, true)),
        Cell::Value(value) => type_of_json(value),
    }
}

fn type_of_json(value: &Json) -> Option<DataType> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(_) => DataType::Boolean,
        Json::Number(number) => type_of_text(&number.to_string(), true),
        Json::String(text) => type_of_text(text, false),
        Json::Object(_) => DataType::Jsonb,
        Json::Array(items) => {
            let mut found: Option<DataType> = None;
            for next in items.iter().filter_map(type_of_json) {
                found = Some(match found {
                    None => next,
                    Some(so_far) => wider(so_far, next),
                });
            }
            DataType::List(Box::new(found.unwrap_or(DataType::Varchar)))
        }
    })
}

/// The type that a text looks like. Numbers and truth values count in CSV only, where nothing has quotes.
fn type_of_text(text: &str, is_bare: bool) -> DataType {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    if is_bare {
        if text.parse::<i32>().is_ok() {
            return DataType::Integer;
        }
        if text.parse::<i64>().is_ok() {
            return DataType::BigInt;
        }
        let is_number = text
            .trim_start_matches('-')
            .starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && text.parse::<f64>().is_ok();
        if is_number {
            return DataType::Numeric;
        }
        if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            return DataType::Boolean;
        }
    }
    if NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() {
        return DataType::Date;
    }
    let one = text.replacen('T', " ", 1);
    if NaiveDateTime::parse_from_str(&one, "%Y-%m-%d %H:%M:%S%.f").is_ok() {
        return DataType::Timestamp;
    }
    let zoned = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
    if zoned
        .iter()
        .any(|format| DateTime::parse_from_str(&one.replace('Z', "+00:00"), format).is_ok())
    {
        return DataType::Timestamptz;
    }
    DataType::Varchar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_values_look_like() {
        for (text, bare, quoted) in [
            ("7", DataType::Integer, DataType::Varchar),
            ("5000000000", DataType::BigInt, DataType::Varchar),
            ("1.50", DataType::Numeric, DataType::Varchar),
            ("true", DataType::Boolean, DataType::Varchar),
            ("2026-01-02", DataType::Date, DataType::Date),
            (
                "2026-01-02 03:04:05",
                DataType::Timestamp,
                DataType::Timestamp,
            ),
            (
                "2026-01-02T03:04:05Z",
                DataType::Timestamptz,
                DataType::Timestamptz,
            ),
            (
                "2026-01-02 03:04:05.5+02:00",
                DataType::Timestamptz,
                DataType::Timestamptz,
            ),
            ("u1", DataType::Varchar, DataType::Varchar),
        ] {
            assert_eq!(type_of_text(text, true), bare, "{text}");
            assert_eq!(type_of_text(text, false), quoted, "'{text}'");
        }
        let list = type_of_json(&serde_json::json!([1, 2.5]));
        assert_eq!(list, Some(DataType::List(Box::new(DataType::Numeric))));
    }

    #[test]
    fn values_become_expressions_of_their_type() {
        let sql = |value: Json, data_type: &str| {
            let data_type = DataType::parse(data_type).expect("it is a type");
            json_sql(&value, &data_type)
        };
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(
            sql("it's".into(), "varchar"),
            is("cast('it''s' as character varying)")
        );
        assert_eq!(sql((-3).into(), "int"), is("cast((-3) as integer)"));
        assert_eq!(
            sql(serde_json::json!(["a", null]), "varchar[]"),
            is(
                "cast(array[cast('a' as character varying), cast(null as character varying)] as character varying[])"
            )
        );
        assert_eq!(
            sql(serde_json::json!({"b": 1}), "jsonb"),
            is("cast('{\"b\":1}' as jsonb)")
        );
        assert_eq!(
            sql(serde_json::json!({"b": 1}), "struct<a varchar, b int>"),
            is(
                "cast(row(cast(null as character varying), cast((1) as integer)) as struct<a character varying, b integer>)"
            )
        );
        assert_eq!(sql(serde_json::json!({"b": 1}), "int"), None);
    }
}
