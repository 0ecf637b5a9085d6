//! What tests found, for people and for `--output json`.

use std::fmt;

use chrono::{DateTime, Utc};
use rwt_compiler::artifacts::{RunResult, Timing};
use serde::Serialize;

use super::diff::Difference;

/// How a test ended, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not hold, and that is a warning.
    Warn,
    /// It does not hold.
    Fail,
    /// It could not be run.
    Error,
    /// It was not tried.
    Skipped,
}

/// Rows of a query, as the database prints them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Rows {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows; none for NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// What one test found.
#[derive(Debug, Serialize)]
pub struct TestReport {
    /// dbt's id.
    pub unique_id: String,
    /// The test's name.
    pub name: String,
    /// `test` or `unit_test`.
    pub resource_type: &'static str,
    /// What a unit test tests.
    pub model: Option<String>,
    /// The file that declares it, relative to the project.
    pub file: String,
    /// How it ended.
    pub status: Verdict,
    /// Rows that fail; for a unit test, rows that differ.
    pub failures: Option<u64>,
    /// Why, in one line or a few.
    pub message: Option<String>,
    /// Seconds.
    pub seconds: f64,
    /// Which thread ran it, from 1.
    pub thread: usize,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: DateTime<Utc>,
    /// The query that was run.
    pub compiled_code: Option<String>,
    /// Where that query lies, relative to the project, if it was written.
    pub compiled_path: Option<String>,
    /// The relation that keeps the rows that fail.
    pub stored_in: Option<String>,
    /// The first rows that fail.
    pub rows: Option<Rows>,
    /// How the rows of a unit test differ.
    pub difference: Option<Difference>,
    /// The error with its place, for people.
    #[serde(skip)]
    pub error: Option<miette::Report>,
}

impl TestReport {
    /// The name in lines and lists: a unit test's stands behind its model.
    pub fn shown(&self) -> String {
        match &self.model {
            Some(model) => format!("{model}::{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The test's part of run_results.json.
    pub fn result(&self) -> RunResult {
        let status = match self.status {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
            Verdict::Error => "error",
            Verdict::Skipped => "skipped",
        };
        RunResult {
            status: status.to_owned(),
            timing: match self.status {
                Verdict::Skipped => Vec::new(),
                _ => vec![Timing::execute(self.started_at, self.completed_at)],
            },
            thread_id: format!("Thread-{}", self.thread),
            execution_time: self.seconds,
            message: self.message.clone(),
            failures: self.failures,
            unique_id: self.unique_id.clone(),
            compiled: Some(self.compiled_code.is_some()),
            compiled_code: self.compiled_code.clone(),
            relation_name: self.stored_in.clone(),
            ..RunResult::default()
        }
    }

    /// Whether what hangs on it must not be built.
    pub fn stops(&self) -> bool {
        matches!(self.status, Verdict::Fail | Verdict::Error)
    }
}

/// What all tests of a run found.
#[derive(Debug, Serialize)]
pub struct TestRun {
    /// In the order in which they ended.
    pub tests: Vec<TestReport>,
    /// Seconds for all of it.
    pub seconds: f64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// A hook of the project failed.
    pub other_failure: bool,
}

impl TestRun {
    /// How many ended so.
    pub fn count(&self, status: Verdict) -> usize {
        let tests = self.tests.iter();
        tests.filter(|test| test.status == status).count()
    }

    /// Whether a test or a hook failed or could not be run.
    pub fn failed(&self) -> bool {
        self.other_failure || self.tests.iter().any(TestReport::stops)
    }

    /// `3 data tests, 1 unit test`
    pub fn kinds(&self) -> String {
        let count = |kind: &str| {
            let tests = self.tests.iter();
            tests.filter(|test| test.resource_type == kind).count()
        };
        let word = |count: usize, one: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            many => Some(format!("{many} {one}s")),
        };
        let words = [
            word(count("test"), "data test"),
            word(count("unit_test"), "unit test"),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for TestRun {
    /// The closing lines, in dbt's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tests.is_empty() {
            return write!(f, "Nothing to do: no test is selected.");
        }
        writeln!(
            f,
            "Finished running {} in {:.2}s.",
            self.kinds(),
            self.seconds
        )?;
        writeln!(f)?;
        let other = usize::from(self.other_failure);
        let failed = self.count(Verdict::Fail) + self.count(Verdict::Error);
        if self.other_failure && failed == 0 {
            writeln!(f, "Completed with 1 error, which is shown above.")?;
            writeln!(f)?;
        } else {
            fmt::Display::fmt(&Closing(&self.tests), f)?;
        }
        write!(
            f,
            "Done. PASS={} WARN={} ERROR={} SKIP={} TOTAL={}",
            self.count(Verdict::Pass),
            self.count(Verdict::Warn),
            failed + other,
            self.count(Verdict::Skipped),
            self.tests.len() + other
        )
    }
}

/// What there is to say of tests that do not hold.
pub struct Closing<'a>(pub &'a [TestReport]);

impl fmt::Display for Closing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |status: Verdict| self.0.iter().filter(move |test| test.status == status);
        let errors = of(Verdict::Error).count() + of(Verdict::Fail).count();
        let warnings = of(Verdict::Warn).count();
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        match (errors, warnings) {
            (0, 0) if of(Verdict::Skipped).count() > 0 => writeln!(f, "Stopped before the end.")?,
            (0, 0) => writeln!(f, "Completed successfully.")?,
            (0, warnings) => writeln!(f, "Completed with {warnings} warning{}:", plural(warnings))?,
            (errors, 0) => writeln!(f, "Completed with {errors} error{}:", plural(errors))?,
            (errors, warnings) => writeln!(
                f,
                "Completed with {errors} error{} and {warnings} warning{}:",
                plural(errors),
                plural(warnings)
            )?,
        }
        for (status, word) in [
            (Verdict::Warn, "Warning"),
            (Verdict::Fail, "Failure"),
            (Verdict::Error, "Error"),
        ] {
            for test in of(status) {
                let kind = test.resource_type;
                writeln!(f)?;
                writeln!(f, "{word} in {kind} {} ({})", test.shown(), test.file)?;
                if let Some(message) = test.message.as_ref().filter(|_| status != Verdict::Error) {
                    writeln!(f, "  {message}")?;
                }
                if let Some(path) = &test.compiled_path {
                    writeln!(f, "  compiled code at {path}")?;
                }
                if let Some(relation) = &test.stored_in {
                    writeln!(f, "  failing rows: select * from {relation}")?;
                }
            }
        }
        writeln!(f)
    }
}
