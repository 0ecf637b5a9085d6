//! Tests of a project: data tests on the database, unit tests on an engine inside of this process.
//!
//! ```text
//! run      which test is next, and what became of it     report   verdicts, closing lines      junit   for CI
//! data     one data test on a connection                 unit     one unit test on the engine
//! schemas  columns of what a model reads                 rows     given and expected rows as relations
//! engine   queries over rows in memory                   diff     rows beside each other
//! coverage which models and branches no unit test runs   record   a unit test from rows of the database
//! ```
//!
//! A unit test needs no server, no port and no relation: `rwt-query` binds the model's query over the given rows.

mod branches;
mod build_report;
mod coverage;
mod data;
mod diff;
mod engine;
mod error;
mod junit;
mod record;
mod report;
mod rows;
mod run;
mod schemas;
mod unit;

pub use build_report::BuildReport;
pub use coverage::{BranchCoverage, Coverage, ModelCoverage, coverage};
pub use data::{DataTests, Found};
pub use diff::{Compared, Difference};
pub use engine::{Known, Printed, UnitEngine};
pub use error::TestError;
pub use junit::junit;
pub use record::{RecordError, record};
pub use report::{Closing, Rows, TestReport, TestRun, Verdict};
pub use run::{Counter, RunError, Runner, TestObserver};
pub use schemas::{Schemas, Shape, functions};
pub use unit::{Prepared, UnitTests};
