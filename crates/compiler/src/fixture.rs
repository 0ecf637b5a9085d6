//! Rows of unit tests: `dict`, `csv` and `sql`, inline or in files, as one shape.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexSet;
use rwt_project::project::{Fixture, FixtureFile, Format, Rows};
use rwt_project::yaml::{Location, SourceFile, Yaml, nearest};
use serde_json::Value as Json;

use crate::jinja::TemplateError;

/// Rows that a unit test gives or expects.
#[derive(Debug, Clone)]
pub enum TestRows {
    /// Values.
    Values(RowValues),
    /// A query that reads nothing.
    Query {
        /// Its text.
        sql: String,
        /// Where it stands.
        at: Location,
    },
}

/// Values in rows.
#[derive(Debug, Clone)]
pub struct RowValues {
    /// The columns that are named, in the order in which they first appear, and where.
    pub columns: Vec<(String, Location)>,
    /// Rows. A column that a row leaves out is NULL.
    pub rows: Vec<TestRow>,
    /// Where the rows stand.
    pub at: Location,
}

/// One row.
#[derive(Debug, Clone)]
pub struct TestRow {
    /// A value per column.
    pub cells: Vec<Cell>,
    /// Where it stands.
    pub at: Location,
}

/// A value as a fixture writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// CSV: text whose type is not said.
    Text(String),
    /// YAML.
    Value(Json),
}

impl TestRows {
    /// Where they stand.
    pub fn at(&self) -> &Location {
        match self {
            Self::Values(values) => &values.at,
            Self::Query { at, .. } => at,
        }
    }
}

/// Reads a fixture, from its file if it has one.
///
/// # Errors
/// A file that is not there, or lines that are no CSV.
pub(crate) fn read_fixture(
    fixture: &Fixture,
    files: &[FixtureFile],
) -> Result<TestRows, TemplateError> {
    match (&fixture.rows, fixture.format) {
        (Rows::Absent, _) => Ok(TestRows::Values(RowValues {
            columns: Vec::new(),
            rows: Vec::new(),
            at: fixture.at.clone(),
        })),
        (Rows::Dict(rows), _) => Ok(TestRows::Values(dict(rows, &fixture.at))),
        (Rows::Text(text), Format::Sql) => Ok(TestRows::Query {
            sql: query_text(text),
            at: fixture.at.clone(),
        }),
        (Rows::Text(text), _) => csv(text, &fixture.at).map(TestRows::Values),
        (Rows::File(name), format) => {
            let file = files
                .iter()
                .find(|file| file.name == *name && file.format == format)
                .ok_or_else(|| no_file(name, format, files, &fixture.at))?;
            let whole = Location::new(Arc::clone(&file.file), 0..file.file.text().len());
            match format {
                Format::Sql => Ok(TestRows::Query {
                    sql: query_text(file.file.text()),
                    at: whole,
                }),
                _ => csv(file.file.text(), &whole).map(TestRows::Values),
            }
        }
    }
}

/// The rows of a seed's own file. `at` is the input that names the seed.
pub(crate) fn seed_rows(file: &Arc<SourceFile>, at: &Location) -> Result<TestRows, TemplateError> {
    let whole = Location::new(Arc::clone(file), 0..file.text().len());
    let mut values = csv(file.text(), &whole)?;
    values.at = at.clone();
    Ok(TestRows::Values(values))
}

fn query_text(text: &str) -> String {
    text.trim().trim_end_matches(';').trim_end().to_owned()
}

fn no_file(name: &str, format: Format, files: &[FixtureFile], at: &Location) -> TemplateError {
    let known = files.iter().map(|file| file.name.as_str());
    let other = files.iter().any(|file| file.name == name);
    let help = match nearest(name, known) {
        _ if other => format!(
            "{name} has another format: say `format: {}`",
            match format {
                Format::Sql => "csv",
                _ => "sql",
            }
        ),
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "write it as {name}.{} in the folder `fixtures` of the test paths, for example tests/fixtures",
            format.word()
        ),
    };
    TemplateError::at(
        "rwt::test::no_fixture",
        format!(
            "there is no fixture `{name}` with the format {}",
            format.word()
        ),
        Some(help),
        at.file(),
        at.range(),
    )
}

/// Rows of keys and values. Keys that differ in case alone name one column, as in dbt, unless one row has both.
fn dict(rows: &[Yaml], at: &Location) -> RowValues {
    let mut columns: Vec<(String, Location)> = Vec::new();
    let mut seen = IndexSet::new();
    let mut differ_in_case = HashSet::new();
    for map in rows.iter().filter_map(Yaml::as_map) {
        let mut seen = HashSet::new();
        let lower = map.keys().map(|key| key.to_lowercase());
        differ_in_case.extend(lower.filter(|key| !seen.insert(key.clone())));
    }
    let key_of = |name: &str| {
        let lower = name.to_lowercase();
        match differ_in_case.contains(&lower) {
            true => name.to_owned(),
            false => lower,
        }
    };
    for (name, entry) in rows.iter().filter_map(Yaml::as_map).flatten() {
        if seen.insert(key_of(name)) {
            columns.push((name.clone(), entry.key.clone()));
        }
    }
    let row = |row: &Yaml| TestRow {
        cells: cells(row, &seen, &key_of),
        at: row.at.clone(),
    };
    RowValues {
        rows: rows.iter().map(row).collect(),
        columns,
        at: at.clone(),
    }
}

/// The cells of a row in the order of the columns.
fn cells(row: &Yaml, columns: &IndexSet<String>, key_of: &dyn Fn(&str) -> String) -> Vec<Cell> {
    let mut cells = vec![Cell::Null; columns.len()];
    for (name, entry) in row.as_map().into_iter().flatten() {
        let place = columns.get_index_of(&key_of(name));
        if let Some(cell) = place.and_then(|place| cells.get_mut(place))
            && !entry.value.is_null()
        {
            *cell = Cell::Value(written(&entry.value));
        }
    }
    cells
}

/// A value, numbers with the digits that the file has: `1.50` is not 1.5 where a numeric is wanted.
fn written(value: &Yaml) -> Json {
    let text = value.at.text().trim();
    match value.to_value() {
        Json::Number(number) if text.parse::<f64>().ok() == number.as_f64() => {
            text.parse().map_or(Json::Number(number), Json::Number)
        }
        other => other,
    }
}

/// Lines of values under a header. A field without a text is NULL.
fn csv(text: &str, at: &Location) -> Result<RowValues, TemplateError> {
    let records = records(text).map_err(|offset| {
        let place = at.within(text.trim_end(), offset..offset + 1);
        TemplateError::at(
            "rwt::test::csv",
            "a quote is opened here and not closed".to_owned(),
            Some("write a quote inside of quotes twice: \"\"".to_owned()),
            place.file(),
            place.range(),
        )
    })?;
    let mut records = records.into_iter().filter(|record| !record.is_blank());
    let Some(header) = records.next() else {
        return Ok(RowValues {
            columns: Vec::new(),
            rows: Vec::new(),
            at: at.clone(),
        });
    };
    let place = |record: &Record| line_at(at, text, record.start);
    let header_at = place(&header);
    let columns: Vec<(String, Location)> = header
        .fields
        .iter()
        .map(|name| (name.clone().unwrap_or_default(), header_at.clone()))
        .collect();
    let mut rows = Vec::new();
    for record in records {
        if record.fields.len() != columns.len() {
            let place = place(&record);
            return Err(TemplateError::at(
                "rwt::test::csv",
                format!(
                    "this line has {} values, the header has {} columns",
                    record.fields.len(),
                    columns.len()
                ),
                Some("put a value with a comma into quotes".to_owned()),
                place.file(),
                place.range(),
            ));
        }
        rows.push(TestRow {
            at: place(&record),
            cells: record
                .fields
                .into_iter()
                .map(|field| field.map_or(Cell::Null, Cell::Text))
                .collect(),
        });
    }
    Ok(RowValues {
        columns,
        rows,
        at: at.clone(),
    })
}

/// The line of a file that holds the byte `start` of a text, where the file has the text's lines one by one (a block of
/// YAML is indented); else the whole.
fn line_at(at: &Location, text: &str, start: usize) -> Location {
    let line = text[start..].lines().next().unwrap_or_default().trim();
    let before = text[..start].matches('\n').count();
    let own = at.text();
    let candidates = own.match_indices(line).map(|(offset, _)| offset);
    // The line of this number at the earliest: equal lines come in order.
    let wanted = candidates
        .filter(|offset| own[..*offset].matches('\n').count() >= before)
        .find(|_| !line.is_empty());
    match wanted {
        Some(offset) => {
            let from = at.range().start + offset;
            Location::new(Arc::clone(at.file()), from..from + line.len())
        }
        None => at.clone(),
    }
}

struct Record {
    start: usize,
    fields: Vec<Option<String>>,
}

impl Record {
    fn is_blank(&self) -> bool {
        matches!(self.fields.as_slice(), [None])
    }
}

/// Reads RFC 4180. The error is where a quote is opened that is never closed.
fn records(text: &str) -> Result<Vec<Record>, usize> {
    let mut records = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut record = Record {
        start: 0,
        fields: Vec::new(),
    };
    let mut field = String::new();
    let mut quoted = false;
    let finish = |field: &mut String, quoted: &mut bool| {
        let text = std::mem::take(field);
        let was_quoted = std::mem::take(quoted);
        let text = if was_quoted {
            text
        } else {
            text.trim().to_owned()
        };
        (!text.is_empty()).then_some(text)
    };
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if field.trim().is_empty() && !quoted => {
                field.clear();
                quoted = true;
                loop {
                    match chars.next() {
                        None => return Err(at),
                        Some((_, '"')) => {
                            if chars.next_if(|(_, next)| *next == '"').is_none() {
                                break;
                            }
                            field.push('"');
                        }
                        Some((_, other)) => field.push(other),
                    }
                }
            }
            ',' => record.fields.push(finish(&mut field, &mut quoted)),
            '\n' => {
                record.fields.push(finish(&mut field, &mut quoted));
                let next = Record {
                    start: at + 1,
                    fields: Vec::new(),
                };
                records.push(std::mem::replace(&mut record, next));
            }
            // What stands behind a closing quote is white space.
            c if quoted && c.is_whitespace() => {}
            '\r' => {}
            c => field.push(c),
        }
    }
    if !field.trim().is_empty() || quoted || !record.fields.is_empty() {
        record.fields.push(finish(&mut field, &mut quoted));
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> RowValues {
        let file = SourceFile::new("rows.csv", text);
        let at = Location::new(file, 0..text.len());
        csv(text, &at).expect("it is CSV")
    }

    #[test]
    fn keys_that_differ_in_case_are_one_column_unless_a_row_has_both() {
        let read = |text: &str| {
            let file = SourceFile::new("t.yml", text);
            let rows = rwt_project::yaml::parse(&file).expect("it is YAML");
            let rwt_project::yaml::Kind::List(items) = &rows.kind else {
                panic!("a list");
            };
            dict(items, &rows.at)
        };
        let one = read("[{id: 1}, {ID: 2}, {}]");
        assert_eq!(one.columns.len(), 1);
        let number = |value: i64| Cell::Value(Json::from(value));
        let cells: Vec<&[Cell]> = one.rows.iter().map(|row| row.cells.as_slice()).collect();
        assert_eq!(cells, [&[number(1)][..], &[number(2)], &[Cell::Null]]);
        let two = read("[{id: 1, ID: 2}, {Id: 3}]");
        assert_eq!(two.columns.len(), 3);
    }

    #[test]
    fn lines_become_rows_and_nothing_is_null() {
        let read = values("id, name ,note\n1,\"a, \"\"b\"\"\",\n\n2,,\"\"\n");
        let columns: Vec<&str> = read.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(columns, ["id", "name", "note"]);
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_eq!(
            read.rows[0].cells,
            [text("1"), text("a, \"b\""), Cell::Null]
        );
        assert_eq!(read.rows[1].cells, [text("2"), Cell::Null, Cell::Null]);
        assert_eq!(read.rows[1].at.line(), 4);
    }

    #[test]
    fn lines_that_are_no_rows_are_refused_where_they_stand() {
        let refused = |text: &str| {
            let at = Location::new(SourceFile::new("rows.csv", text), 0..text.len());
            let error = csv(text, &at).expect_err("it is refused");
            let place = error.places.last().expect("it has a place").at.to_string();
            (error.message, place)
        };
        let (message, place) = refused("a,b\n1,2\n3\n");
        assert_eq!(message, "this line has 1 values, the header has 2 columns");
        assert_eq!(place, "rows.csv:3:1");
        let (_, place) = refused("a,b\n1,\"2\n3\n");
        assert_eq!(place, "rows.csv:2:3");
    }
}
