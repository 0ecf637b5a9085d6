//! Running tests: unit tests first, in this process; then data tests on the database, several at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use chrono::Utc;
use rwt_compiler::materialize::DatabaseError;
use rwt_compiler::{CompileError, Compiler, UnitTestPlan};
use rwt_project::manifest::{Node, ResourceType};
use tokio::runtime::Handle;

use super::data::{DataTests, Found};
use super::report::{TestReport, Verdict};
use super::unit::UnitTests;
use crate::client::ConnectError;

/// Hears of each test that has ended: `index` of `total`. Calls come from several threads.
pub trait TestObserver: Sync {
    /// A test has begun, on this thread, one of `total`.
    fn began(&self, test: &Node, thread: usize, total: usize);
    /// A test has ended.
    fn finished(&self, index: usize, total: usize, report: &TestReport);
}

/// How tests are run.
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    /// The project.
    pub compiler: &'a Compiler,
    /// Runs the engine's work.
    pub handle: &'a Handle,
    /// Raised when the work is to stop.
    pub interrupted: &'a AtomicBool,
    /// Begin nothing new after the first failure.
    pub fail_fast: bool,
    /// Data tests at once.
    pub threads: usize,
    /// Where compiled queries of tests that do not hold are written.
    pub target_dir: &'a Path,
    /// Who hears of it.
    pub observer: &'a dyn TestObserver,
    /// How many tests ended before, and how many there are in all.
    pub counter: &'a Counter,
}

/// Counts what has ended.
#[derive(Debug)]
pub struct Counter {
    done: AtomicUsize,
    total: usize,
}

/// The database could not be used at all.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum RunError {
    /// No connection.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Connect(#[from] ConnectError),
    /// The schema for failing rows cannot be made.
    #[error("the schema for failing rows cannot be made: {0}")]
    #[diagnostic(code(rwt::database::error))]
    Schema(#[from] DatabaseError),
}

impl Counter {
    /// Nothing ended yet.
    pub fn new(total: usize) -> Self {
        Self {
            done: AtomicUsize::new(0),
            total,
        }
    }

    /// Counts one more: its number, and how many there are.
    pub fn next(&self) -> (usize, usize) {
        (self.done.fetch_add(1, Ordering::Relaxed) + 1, self.total)
    }
}

impl Runner<'_> {
    /// Runs unit tests, one after the other.
    pub fn unit_tests(&self, tests: &[&Node], with: &mut UnitTests<'_>) -> Vec<TestReport> {
        let mut reports: Vec<TestReport> = Vec::with_capacity(tests.len());
        for test in tests {
            let mut report = self.blank(test, 1);
            if self.stops(reports.iter()) {
                report.message = Some(self.why_not().to_owned());
            } else {
                self.observer.began(test, 1, self.counter.total);
                let clock = Instant::now();
                match self.compiler.unit_test(&test.unique_id) {
                    Ok(plan) => self.unit_test(&plan, with, &mut report),
                    Err(error) => failed(&mut report, error),
                }
                self.ended(&mut report, clock, test);
            }
            self.tell(&report);
            reports.push(report);
        }
        reports
    }

    fn unit_test(&self, plan: &UnitTestPlan, with: &mut UnitTests<'_>, report: &mut TestReport) {
        report.compiled_code = Some(plan.query.clone());
        match self.handle.block_on(with.run(plan)) {
            Ok(None) => report.status = Verdict::Pass,
            Ok(Some(difference)) => {
                report.status = Verdict::Fail;
                report.failures = u64::try_from(difference.count()).ok();
                report.message = Some("actual differs from expected".to_owned());
                report.difference = Some(difference);
            }
            Err(error) => failed(report, error),
        }
    }

    /// Runs data tests on several threads.
    ///
    /// # Errors
    /// No connection, or no schema for failing rows.
    pub fn data_tests(
        &self,
        tests: &[&Node],
        with: &DataTests<'_>,
    ) -> Result<Vec<TestReport>, RunError> {
        if tests.is_empty() {
            return Ok(Vec::new());
        }
        with.make_schemas(tests, &mut with.session()?)?;
        let next = AtomicUsize::new(0);
        let reports: Mutex<Vec<TestReport>> = Mutex::default();
        let trouble: Mutex<Option<ConnectError>> = Mutex::default();
        let locked = || reports.lock().unwrap_or_else(PoisonError::into_inner);
        let serve = |number: usize| {
            let mut session = None;
            while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut report = self.blank(test, number);
                if self.stops(locked().iter()) {
                    report.message = Some(self.why_not().to_owned());
                } else {
                    self.observer.began(test, number, self.counter.total);
                    let clock = Instant::now();
                    let found = match session.take().map_or_else(|| with.session(), Ok) {
                        Ok(mut open) => {
                            let found = with.run(test, &mut open);
                            // What a test has set is not the next one's.
                            session = Some(open).filter(|open| open.is_clean());
                            found
                        }
                        Err(error) => {
                            *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                            return;
                        }
                    };
                    judge(&mut report, test, found);
                    self.ended(&mut report, clock, test);
                }
                self.tell(&report);
                locked().push(report);
            }
        };
        thread::scope(|threads| {
            for number in 1..=self.threads.clamp(1, tests.len()) {
                let serve = &serve;
                threads.spawn(move || serve(number));
            }
        });
        match trouble.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error.into()),
            None => Ok(reports.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Reports tests that are not run.
    pub fn skipped(&self, tests: &[&Node], why: &str) -> Vec<TestReport> {
        let report = |test: &&Node| {
            let mut report = self.blank(test, 0);
            report.message = Some(why.to_owned());
            self.tell(&report);
            report
        };
        tests.iter().map(report).collect()
    }

    fn tell(&self, report: &TestReport) {
        let (index, total) = self.counter.next();
        self.observer.finished(index, total, report);
    }

    fn stops<'r>(&self, mut reports: impl Iterator<Item = &'r TestReport>) -> bool {
        self.interrupted.load(Ordering::SeqCst) || self.fail_fast && reports.any(TestReport::stops)
    }

    fn why_not(&self) -> &'static str {
        match self.interrupted.load(Ordering::SeqCst) {
            true => "interrupted",
            false => "another test failed, and --fail-fast was said",
        }
    }

    /// A report that says "skipped" until more is known.
    fn blank(&self, test: &Node, thread: usize) -> TestReport {
        let now = Utc::now();
        let is_unit = test.resource_type == ResourceType::UnitTest;
        let model = || test.fqn.iter().rev().nth(1).cloned();
        TestReport {
            unique_id: test.unique_id.0.clone(),
            name: test.name.clone(),
            resource_type: test.resource_type.word(),
            model: is_unit.then(model).flatten(),
            file: test.original_file_path.display().to_string(),
            status: Verdict::Skipped,
            failures: None,
            message: None,
            seconds: 0.0,
            thread,
            started_at: now,
            completed_at: now,
            compiled_code: None,
            compiled_path: None,
            stored_in: None,
            rows: None,
            difference: None,
            error: None,
        }
    }

    /// Notes the end, and writes the query of a test that does not hold.
    fn ended(&self, report: &mut TestReport, clock: Instant, test: &Node) {
        report.seconds = clock.elapsed().as_secs_f64();
        report.completed_at = Utc::now();
        let holds = matches!(report.status, Verdict::Pass | Verdict::Skipped);
        let Some(code) = report.compiled_code.as_ref().filter(|_| !holds) else {
            return;
        };
        let path = compiled_path(test);
        let full = self.target_dir.join(&path);
        let written = full
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&full, format!("{}\n", code.trim())));
        if written.is_ok() {
            let root = &self.compiler.project().root;
            let shown = full.strip_prefix(root).unwrap_or(&full);
            report.compiled_path = Some(shown.display().to_string());
        }
    }
}

/// dbt's place for a test's query, below the target path.
fn compiled_path(test: &Node) -> PathBuf {
    let base = Path::new("compiled")
        .join(&test.package_name)
        .join(&test.original_file_path);
    match test.original_file_path.extension() {
        Some(extension) if extension == "sql" => base,
        _ if test.resource_type == ResourceType::Test => base.join(&test.path),
        _ => base.join(format!("{}.sql", test.name)),
    }
}

fn failed(report: &mut TestReport, error: impl miette::Diagnostic + Send + Sync + 'static) {
    report.status = Verdict::Error;
    report.message = Some(error.to_string());
    report.error = Some(miette::Report::new(error));
}

/// dbt's rule: an error where the severity allows it and `error_if` holds, else a warning where `warn_if` holds.
fn judge(report: &mut TestReport, test: &Node, found: Result<Found, CompileError>) {
    let found = match found {
        Ok(found) => found,
        Err(error) => return failed(report, error),
    };
    let result = found.result;
    report.compiled_code = Some(result.compiled_code);
    report.stored_in = result.stored_in;
    report.failures = Some(0);
    let text = |key: &str, default: &str| -> String {
        let value = test.config.get(key).and_then(|value| value.as_str());
        value.unwrap_or(default).to_owned()
    };
    let warns_only = text("severity", "error").eq_ignore_ascii_case("warn");
    let (status, word, condition) = if result.should_error && !warns_only {
        (Verdict::Fail, "fail", text("error_if", "!= 0"))
    } else if result.should_warn {
        (Verdict::Warn, "warn", text("warn_if", "!= 0"))
    } else {
        report.status = Verdict::Pass;
        report.stored_in = None;
        return;
    };
    let plural = if result.failures == 1 { "" } else { "s" };
    report.status = status;
    report.failures = Some(result.failures);
    report.message = Some(format!(
        "Got {} result{plural}, configured to {word} if {condition}",
        result.failures
    ));
    report.rows = found.rows;
}
