//! Advice: what is allowed and probably not meant. Each piece has a stable code; the variable `lint_ignore` and the
//! configuration `lint_ignore` of a model name codes that are not to be heard, as a list or as words between commas.
//!
//! [`lint`] looks at statements alone; [`of_plan`] at what a plan does with them.

mod hooks;
mod lake;
mod statements;

use std::fmt;

use rwt_sql::{Location, Span};
use serde::{Deserialize, Serialize};

use crate::desired::{Desired, DesiredObject};

pub use lake::of_plan;

/// What is probably not meant, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Its code.
    pub code: Code,
    /// The node; of the project's hooks `operation.<project>.<project>-on-run-start` or `-on-run-end`.
    pub unique_id: String,
    /// The file of the model or of the project, relative to the project.
    pub file: String,
    /// Where in the node's statement, if at one place.
    pub place: Option<Place>,
    /// What is so.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A place in a compiled statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// The line, secrets hidden.
    pub text: String,
}

/// Codes of advice. Their words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// `BETWEEN window_start AND window_end` takes in the end, which belongs to the next window.
    BetweenWindow,
    /// Options of a sink INTO that RisingWave does not look at.
    SinkIntoOptions,
    /// A sink that drops deletions and turns updates into new rows.
    ForceAppendOnly,
    /// An Iceberg table with a key: its updates are equality deletes, which PyIceberg does not read.
    KeyedLakeTable,
    /// A source that begins at the end, below which a rebuild loses what came before.
    StartupLatest,
    /// A query that takes all columns, so that each column more above rebuilds it.
    AllColumns,
    /// Retention where RisingWave has none.
    Retention,
    /// A sink that is written to exactly once cannot be replaced in place.
    ExactlyOnce,
    /// CASCADE in a hook.
    CascadeInHook,
    /// A source is read anew whose rows are in a lake already.
    LakeKeepsRows,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 10] = [
        Self::BetweenWindow,
        Self::SinkIntoOptions,
        Self::ForceAppendOnly,
        Self::KeyedLakeTable,
        Self::StartupLatest,
        Self::AllColumns,
        Self::Retention,
        Self::ExactlyOnce,
        Self::CascadeInHook,
        Self::LakeKeepsRows,
    ];
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BetweenWindow => "between-window",
            Self::SinkIntoOptions => "sink-into-options",
            Self::ForceAppendOnly => "force-append-only",
            Self::KeyedLakeTable => "keyed-lake-table",
            Self::StartupLatest => "startup-latest",
            Self::AllColumns => "all-columns",
            Self::Retention => "retention",
            Self::ExactlyOnce => "exactly-once",
            Self::CascadeInHook => "cascade-in-hook",
            Self::LakeKeepsRows => "lake-keeps-rows",
        })
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "warning[{}] {}: {}", self.code, self.file, self.message)?;
        if let Some(place) = &self.place {
            writeln!(
                f,
                "    {}:{} of its statement: {}",
                place.line,
                place.column,
                place.text.trim()
            )?;
        }
        writeln!(f, "    {}", self.help)
    }
}

/// Advice on the project's hooks and on every object, in their order.
pub fn lint(desired: &Desired) -> Vec<Advice> {
    let objects = desired.objects.values();
    let mut found = hooks::lint(desired);
    found.extend(objects.flat_map(|object| statements::lint(desired, object)));
    found.retain(|advice| is_heard(desired, advice));
    found
}

/// Whether nothing says that the code is not to be heard.
fn is_heard(desired: &Desired, advice: &Advice) -> bool {
    let code = advice.code.to_string();
    let ignored = desired
        .objects
        .get(&advice.unique_id)
        .is_some_and(|object| object.config.lint_ignore.contains(&code));
    !ignored && !desired.lint_ignore.contains(&code)
}

fn advice(object: &DesiredObject, code: Code, message: String, help: &str) -> Advice {
    Advice {
        code,
        unique_id: object.unique_id.clone(),
        file: object.file.clone(),
        place: None,
        message,
        help: help.to_owned(),
    }
}

impl Advice {
    /// With the place of a part of the statement.
    fn at(mut self, sql: &str, span: Span) -> Self {
        let Location { line, column } = Location::of(sql, span.start);
        let text = sql.lines().nth(line - 1).unwrap_or_default();
        self.place = Some(Place {
            line,
            column,
            text: rwt_sql::redact(text),
        });
        self
    }
}
