//! What agate makes of a table: `select`, `exclude`, `rename`, `limit`, `order_by`, `distinct`.

use std::cmp::Ordering;
use std::sync::Arc;

use minijinja::value::{Kwargs, ValueKind, from_args};
use minijinja::{Error, ErrorKind, Value};

use super::collections::pairs_of;
use super::error::raise;
use super::moment::places;
use super::table::{TableValue, cell, nulls_last};
use crate::materialize::Table;

impl TableValue {
    /// Another table of this one's cells.
    ///
    /// # Errors
    /// No such method, or names that are no columns.
    pub(super) fn derived(&self, method: &str, args: &[Value]) -> Result<Value, Error> {
        const METHODS: [&str; 6] = [
            "select", "exclude", "rename", "limit", "order_by", "distinct",
        ];
        if !METHODS.contains(&method) {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let (places, keywords) = places(args)?;
        let columns: Vec<usize> = (0..self.table.columns.len()).collect();
        let rows: Vec<usize> = (0..self.table.rows.len()).collect();
        // Nobody knows the columns of what was not asked.
        if !self.live {
            return Ok(self.taken(&columns, &rows));
        }
        let argument = |at: usize, name: &str| -> Result<Option<Value>, Error> {
            let named: Option<Value> = keywords.get(name)?;
            Ok(places.get(at).cloned().or(named))
        };
        let given = |value: Option<Value>| value.filter(|value| !value.is_none());
        let derived = match method {
            "select" => {
                let key = argument(0, "key")?.unwrap_or_default();
                self.taken(&self.named(&key)?, &rows)
            }
            "exclude" => {
                let key = argument(0, "key")?.unwrap_or_default();
                let left_out = self.named(&key)?;
                let columns: Vec<usize> = columns
                    .into_iter()
                    .filter(|column| !left_out.contains(column))
                    .collect();
                self.taken(&columns, &rows)
            }
            "rename" => self.renamed(given(argument(0, "column_names")?), &keywords)?,
            "limit" => self.taken(&columns, &limited(&rows, args)?),
            "order_by" => {
                let key = self.named(&argument(0, "key")?.unwrap_or_default())?;
                let reverse = argument(1, "reverse")?.is_some_and(|value| value.is_true());
                self.taken(&columns, &self.ordered(rows, &key, reverse))
            }
            _ => {
                let key = match given(argument(0, "key")?) {
                    Some(key) => self.named(&key)?,
                    None => columns.clone(),
                };
                let mut seen: Vec<Vec<Value>> = Vec::new();
                let is_new = |row: &usize| {
                    let cells = self.cells(*row, &key);
                    let is_new = !seen.contains(&cells);
                    seen.push(cells);
                    is_new
                };
                let rows: Vec<usize> = rows.into_iter().filter(is_new).collect();
                self.taken(&columns, &rows)
            }
        };
        keywords.assert_all_used()?;
        Ok(derived)
    }

    /// The columns of a name, a place or a list of these.
    fn named(&self, key: &Value) -> Result<Vec<usize>, Error> {
        if key.kind() != ValueKind::String && key.kind() != ValueKind::Number {
            let columns: Vec<Vec<usize>> = key
                .try_iter()?
                .map(|key| match key.kind() {
                    ValueKind::String | ValueKind::Number => self.named(&key),
                    _ => Err(self.no_column(&key)),
                })
                .collect::<Result<_, _>>()?;
            return Ok(columns.concat());
        }
        let names = &self.table.columns;
        let column = match key.as_str() {
            Some(name) => names.iter().position(|column| column == name),
            None => key.as_usize().filter(|column| *column < names.len()),
        };
        column
            .map(|column| vec![column])
            .ok_or_else(|| self.no_column(key))
    }

    fn no_column(&self, key: &Value) -> Error {
        raise(
            "rwt::jinja::table",
            format!("the table has no column `{key}`"),
            Some(format!("its columns are {}", self.table.columns.join(", "))),
        )
    }

    fn cells(&self, row: usize, columns: &[usize]) -> Vec<Value> {
        let cells = columns.iter().map(|column| cell(&self.table, row, *column));
        cells.map(Option::unwrap_or_default).collect()
    }

    fn ordered(&self, rows: Vec<usize>, key: &[usize], reverse: bool) -> Vec<usize> {
        let mut keyed: Vec<(Vec<Value>, usize)> = rows
            .into_iter()
            .map(|row| (self.cells(row, key), row))
            .collect();
        let order = |a: &[Value], b: &[Value]| {
            let mut orders = a.iter().zip(b).map(|(a, b)| nulls_last(a, b));
            orders
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        };
        // Equal rows keep their order, backwards too.
        match reverse {
            true => keyed.sort_by(|a, b| order(&b.0, &a.0)),
            false => keyed.sort_by(|a, b| order(&a.0, &b.0)),
        }
        keyed.into_iter().map(|(_, row)| row).collect()
    }

    fn renamed(&self, names: Option<Value>, keywords: &Kwargs) -> Result<Value, Error> {
        let slugs: Option<Value> = keywords.get("slug_columns")?;
        if slugs.is_some_and(|slugs| slugs.is_true()) {
            return Err(raise(
                "rwt::jinja::table",
                "rename() does not make slugs",
                Some("give column_names".to_owned()),
            ));
        }
        let mut table = Table::clone(&self.table);
        match names {
            Some(names) if names.kind() == ValueKind::Map => {
                for (old, new) in pairs_of(&names)? {
                    let found = table
                        .columns
                        .iter_mut()
                        .find(|column| Some(column.as_str()) == old.as_str());
                    if let Some(column) = found {
                        *column = new.to_string();
                    }
                }
            }
            Some(names) => {
                let names: Vec<String> = names.try_iter()?.map(|name| name.to_string()).collect();
                if names.len() != table.columns.len() {
                    return Err(raise(
                        "rwt::jinja::table",
                        format!("{} names for {} columns", names.len(), table.columns.len()),
                        None,
                    ));
                }
                table.columns = names;
            }
            None => {}
        }
        Ok(Value::from_object(Self {
            table: Arc::new(table),
            live: self.live,
            types: self.types.clone(),
            origin: self.origin.clone(),
        }))
    }

    /// A table of some columns and rows.
    fn taken(&self, columns: &[usize], rows: &[usize]) -> Value {
        let table = &self.table;
        let taken = Table {
            columns: columns
                .iter()
                .map(|at| table.columns[*at].clone())
                .collect(),
            rows: rows
                .iter()
                .map(|row| {
                    columns
                        .iter()
                        .map(|at| table.rows[*row][*at].clone())
                        .collect()
                })
                .collect(),
            texts: columns
                .iter()
                .map(|at| table.texts.get(*at).copied().unwrap_or_default())
                .collect(),
        };
        let types = columns.iter().filter_map(|at| self.types.get(*at).copied());
        Value::from_object(Self {
            table: Arc::new(taken),
            live: self.live,
            types: types.collect(),
            origin: None,
        })
    }
}

/// `limit(stop)` or `limit(start, stop, step)`, as Python slices.
fn limited(rows: &[usize], args: &[Value]) -> Result<Vec<usize>, Error> {
    let (first, stop, step): (Option<usize>, Option<usize>, Option<usize>) = from_args(args)?;
    let (start, stop) = match (first, stop, step) {
        (stop, None, None) => (0, stop),
        (start, stop, _) => (start.unwrap_or(0), stop),
    };
    let rows = rows.iter().take(stop.unwrap_or(rows.len())).skip(start);
    Ok(rows.step_by(step.unwrap_or(1).max(1)).copied().collect())
}

#[cfg(test)]
mod tests {
    use minijinja::{Environment, context};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::jinja::table::table_value;
    use crate::materialize::TextOf;

    fn table() -> Value {
        let row = |row: Json| row.as_array().cloned().unwrap_or_default();
        let time = "2024-01-02 03:04:05";
        let table = Table {
            columns: ["n", "i", "d", "ts", "tz", "s"].map(str::to_owned).to_vec(),
            rows: vec![
                row(json!([
                    1.5,
                    2,
                    "2024-01-02",
                    format!("{time}.678"),
                    format!("{time}+00:00"),
                    "b"
                ])),
                row(json!([null, 1, null, null, null, "a"])),
                row(json!([1.5, 3, "2024-01-03", "infinity", null, "a"])),
            ],
            texts: vec![
                TextOf::Text,
                TextOf::Text,
                TextOf::Date,
                TextOf::Timestamp,
                TextOf::Timestamptz,
            ],
        };
        table_value(table, true)
    }

    #[test]
    fn tables_are_agates() {
        let mut env = Environment::new();
        crate::jinja::arithmetic::add_to(&mut env);
        for (expression, wanted) in [
            ("t.rows[0]['d'].year", "2024"),
            ("t.rows[0]['d'].strftime('%d.%m.')", "02.01."),
            (
                "t.rows[2]['d'] | rwt__sub(t.rows[0]['d'])",
                "1 day, 0:00:00",
            ),
            ("t.rows[0]['ts']", "2024-01-02 03:04:05.678000"),
            ("t.rows[2]['ts']", "infinity"),
            ("t.rows[0]['tz']", "2024-01-02 03:04:05+00:00"),
            ("t.columns['d'].values()", "(2024-01-02, None, 2024-01-03)"),
            ("t.select(['i', 's']).column_names", "('i', 's')"),
            ("t.select('d').rows[0][0].year", "2024"),
            (
                "t.exclude(['d', 'ts', 'tz', 'n']).column_names",
                "('i', 's')",
            ),
            ("t.limit(1).rows | length", "1"),
            ("t.limit(1, 3).columns['i'].values()", "(1, 3)"),
            ("t.order_by('i').columns['i'].values()", "(1, 2, 3)"),
            (
                "t.order_by('i', reverse=true).columns['i'].values()",
                "(3, 2, 1)",
            ),
            ("t.order_by('n').columns['n'].values()", "(1.5, 1.5, None)"),
            ("t.order_by(['s', 'i']).columns['i'].values()", "(1, 3, 2)"),
            ("t.distinct('s').columns['i'].values()", "(2, 1)"),
            ("t.select(['n']).distinct().rows | length", "2"),
            ("t.rename({'n': 'x'}).column_names[0]", "x"),
            ("t.rename(['a', 'b', 'c', 'd', 'e', 'f']).rows[0]['f']", "b"),
            ("t.rename(column_names={'n': 'x'}).rows[0]['x']", "1.5"),
            ("t.columns.get('zz') is none", "True"),
            ("t.columns.get('i').values()", "(2, 1, 3)"),
            ("t.columns['n'].values_without_nulls()", "(1.5, 1.5)"),
            ("t.columns['i'].values_sorted()", "[1, 2, 3]"),
            ("t.columns['n'].values_sorted()", "[1.5, 1.5, None]"),
            ("t.columns['n'].index", "0"),
            ("t.rows.values() | length", "3"),
            ("t.rows[-1]['i']", "3"),
            ("t.rows[1:] | length", "2"),
            ("t.rows | map(attribute='i') | join(',')", "2,1,3"),
            ("t.columns | map(attribute='name') | list | length", "6"),
        ] {
            let template = format!("{{{{ {expression} }}}}");
            let got = env.render_str(&template, context! { t => table() });
            assert_eq!(got.expect(expression), wanted, "{expression}");
        }
        for wrong in [
            "t.select(['zz'])",
            "t.rename(['a'])",
            "t.order_by('i', down=true)",
        ] {
            let template = format!("{{{{ {wrong} }}}}");
            let got = env.render_str(&template, context! { t => table() });
            assert!(got.is_err(), "{wrong}");
        }
    }
}
