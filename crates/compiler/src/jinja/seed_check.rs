//! Before the old rows of a seed go: whether the database takes the new ones. The database is asked itself, for only it knows
//! what each of its types takes; the cell that it refuses is found by halves.

use std::error::Error as _;
use std::ops::Range;

use minijinja::{Error, State, Value};
use rwt_sql::Ident;
use serde_json::Value as Json;

use super::adapter::columns;
use super::error::raise;
use super::relation::Relation;
use super::scope::{Scope, scope_of};
use super::seed::{Origin, SeedType, rows_sql};
use super::statement::{execute, is_live};
use super::table::{SeedRows, seed_rows};
use crate::materialize::DatabaseError;

/// Rows that are asked about at once.
const BATCH: usize = 10_000;
/// Types that take every text.
const TEXTS: [&str; 4] = ["text", "varchar", "character varying", "string"];

/// `rwt__check_seed(table, existing, names, types)`: refuses a seed whose rows the database would not take. `existing` is the
/// table that they are to go into, none for one that is to be made; `names` are the columns as the INSERT names them,
/// `types` those that a new table has.
///
/// # Errors
/// The first cell that the database refuses, or what it has against the INSERT.
pub fn check_seed(
    state: &State<'_, '_>,
    table: &Value,
    existing: &Value,
    names: &[String],
    types: &[String],
) -> Result<(), Error> {
    let scope = scope_of(state)?;
    let Some(seed) = seed_rows(table).filter(|seed| !seed.table.rows.is_empty()) else {
        return Ok(());
    };
    if !is_live(&scope) {
        return Ok(());
    }
    let mut types = types.to_vec();
    if !existing.is_none() && !existing.is_undefined() {
        let existing = Relation::from_value(existing)?;
        check_insert(&scope, &seed, &existing, names)?;
        for column in columns(state, &existing)?.try_iter()? {
            let name = Ident::new(column.get_attr("name")?.to_string());
            let is_it = |given: &String| *given == name.quoted() || *given == name.value();
            if let Some(at) = names.iter().position(is_it) {
                types[at] = column.get_attr("data_type")?.to_string();
            }
        }
    }
    let columns = types.into_iter().enumerate().filter(|(_, kind)| {
        let kind = kind.trim().to_lowercase();
        !TEXTS.contains(&kind.as_str())
    });
    let check = Check {
        scope: &scope,
        seed: &seed,
        columns: columns.collect(),
    };
    check.run()
}

/// Whether the table has the columns, and takes what kind of values they have.
fn check_insert(
    scope: &Scope,
    seed: &SeedRows,
    existing: &Relation,
    names: &[String],
) -> Result<(), Error> {
    let sql = format!(
        "explain insert into {existing} ({}) values {}",
        names.join(", "),
        rows_sql(&seed.table.rows[..1], &seed.types)
    );
    let Some(refusal) = refused(scope, &sql)? else {
        return Ok(());
    };
    Err(raise(
        "rwt::seed::columns",
        format!(
            "{} does not go into {existing}, which is left as it is: {}",
            seed.origin.file, refusal.message
        ),
        Some("`rwt seed --full-refresh` makes the table anew".to_owned()),
    ))
}

/// What the database has against a statement.
fn refused(scope: &Scope, sql: &str) -> Result<Option<DatabaseError>, Error> {
    match execute(scope, sql) {
        Ok(_) => Ok(None),
        Err(error) => match error
            .source()
            .and_then(|e| e.downcast_ref::<DatabaseError>())
        {
            // Without a code it does not come from the server: the connection is lost.
            Some(refusal) if refusal.sqlstate.is_some() => Ok(Some(refusal.clone())),
            _ => Err(error),
        },
    }
}

struct Check<'a> {
    scope: &'a Scope,
    seed: &'a SeedRows,
    /// Columns that do not take every text, with their types.
    columns: Vec<(usize, String)>,
}

impl Check<'_> {
    fn run(&self) -> Result<(), Error> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let all = self.seed.table.rows.len();
        for from in (0..all).step_by(BATCH) {
            let rows = from..all.min(from + BATCH);
            if let Some(refusal) = self.refused(rows.clone(), &self.columns)? {
                return self.blame(rows, refusal);
            }
        }
        Ok(())
    }

    /// What the database has against these cells.
    fn refused(
        &self,
        rows: Range<usize>,
        columns: &[(usize, String)],
    ) -> Result<Option<DatabaseError>, Error> {
        let cells: Vec<Vec<Json>> = self.seed.table.rows[rows]
            .iter()
            .map(|row| columns.iter().map(|(at, _)| row[*at].clone()).collect())
            .collect();
        let types: Vec<SeedType> = columns.iter().map(|(at, _)| self.seed.types[*at]).collect();
        let casts: Vec<String> = columns
            .iter()
            .map(|(at, kind)| format!("cast(c{at} as {kind})"))
            .collect();
        let names: Vec<String> = columns.iter().map(|(at, _)| format!("c{at}")).collect();
        let sql = format!(
            "select {} from (values {}) as seed({})",
            casts.join(", "),
            rows_sql(&cells, &types),
            names.join(", ")
        );
        refused(self.scope, &sql)
    }

    /// Finds the cell that is refused.
    fn blame(&self, mut rows: Range<usize>, refusal: DatabaseError) -> Result<(), Error> {
        let nothing: Vec<String> = self
            .columns
            .iter()
            .map(|(_, kind)| format!("cast(null as {kind})"))
            .collect();
        let asks = format!("select {}", nothing.join(", "));
        if refused(self.scope, &asks)?.is_some() {
            // What stands for a type in `column_types` may be more than a type.
            return Ok(());
        }
        while rows.len() > 1 {
            let middle = rows.start + rows.len() / 2;
            let first = self.refused(rows.start..middle, &self.columns)?;
            rows = match first {
                Some(_) => rows.start..middle,
                None => middle..rows.end,
            };
        }
        let row = rows.start;
        for column in &self.columns {
            let one = std::slice::from_ref(column);
            if let Some(refusal) = self.refused(rows.clone(), one)? {
                let (at, kind) = column;
                let name = &self.seed.table.columns[*at];
                let what = format!(
                    "{} in the column {name} ({kind})",
                    self.seed.table.rows[row][*at]
                );
                return Err(self.error(row, &what, &refusal));
            }
        }
        Err(self.error(row, "a value", &refusal))
    }

    fn error(&self, row: usize, what: &str, refusal: &DatabaseError) -> Error {
        let Origin { file, lines } = &*self.seed.origin;
        let line = lines.get(row).copied().unwrap_or_default();
        raise(
            "rwt::seed::value",
            format!("{file}, line {line}: the database does not take {what}: {}", refusal.message),
            Some(
                "correct the value, or give the column another type with `column_types`; nothing of the seed was changed"
                    .to_owned(),
            ),
        )
    }
}
