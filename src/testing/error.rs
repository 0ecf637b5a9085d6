//! Why a test could not be run.

use std::sync::Arc;

use miette::{Diagnostic, SourceSpan};
use rwt_project::yaml::SourceFile;
use thiserror::Error;

/// What keeps a unit test from being run.
#[derive(Debug, Error, Diagnostic)]
pub enum TestError {
    /// Rows name a column that is not there.
    #[error("{label} has no column `{column}`")]
    #[diagnostic(code(rwt::test::unknown_column))]
    UnknownColumn {
        /// What the rows are of.
        label: String,
        /// The name.
        column: String,
        /// The nearest, or all.
        #[help]
        help: String,
        /// The file.
        #[source_code]
        file: Arc<SourceFile>,
        /// The place.
        #[label("no such column")]
        at: SourceSpan,
    },
    /// A value that its column does not take.
    #[error("the column `{column}` of {label} does not take this value: {cause}")]
    #[diagnostic(code(rwt::test::value), help("the column's type is {data_type}"))]
    Value {
        /// What the rows are of.
        label: String,
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
        /// The engine's words.
        cause: String,
        /// The file.
        #[source_code]
        file: Arc<SourceFile>,
        /// The row.
        #[label("in this row")]
        at: SourceSpan,
    },
    /// Rows whose query cannot be run.
    #[error("the rows of {label} cannot be read: {cause}")]
    #[diagnostic(
        code(rwt::test::rows),
        help("`format: sql` takes a query that reads no relation, for example `select 1 as id`")
    )]
    Query {
        /// What the rows are of.
        label: String,
        /// The engine's words.
        cause: String,
        /// The file.
        #[source_code]
        file: Arc<SourceFile>,
        /// The query.
        #[label("here")]
        at: SourceSpan,
    },
    /// The model reads something that the test gives no rows of.
    #[error("the model {model} reads {reads}, and the unit test `{test}` gives no rows of it")]
    #[diagnostic(code(rwt::test::missing_input))]
    MissingInput {
        /// The model.
        model: String,
        /// The test.
        test: String,
        /// What it reads.
        reads: String,
        /// What to write.
        #[help]
        help: String,
        /// The file.
        #[source_code]
        file: Arc<SourceFile>,
        /// The test's name.
        #[label("this test")]
        at: SourceSpan,
    },
    /// The engine refuses the model's query.
    #[error("the query of {model} cannot be run: {cause}")]
    #[diagnostic(code(rwt::test::query))]
    Model {
        /// The model.
        model: String,
        /// The engine's words.
        cause: String,
        /// What to do.
        #[help]
        help: Option<String>,
        /// The property file.
        #[source_code]
        file: Arc<SourceFile>,
        /// The test's name.
        #[label("run by this test")]
        at: SourceSpan,
    },
}
