//! What can go wrong with a query, in RisingWave's words (recorded in the golden data, `wire.md` section 3).

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use thiserror::Error;

/// Why a query was refused or broke. `Display` gives the last, telling cause of RisingWave's chain of causes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The text is no SQL that RisingWave reads. The message ends with the line and a caret where they are known.
    #[error("sql parser error: {0}")]
    Syntax(String),
    /// A relation of a query that does not exist.
    #[error("table or source not found: {0}")]
    RelationNotFound(String),
    /// The target of an INSERT, UPDATE or DELETE that does not exist.
    #[error("table not found: {0}")]
    TableNotFound(String),
    /// Another named thing that does not exist: the kind, then the name.
    #[error("{0} not found: {1}")]
    NotFound(&'static str, String),
    /// A name or type error inside of an expression: the expression's text and the cause.
    #[error("{message}")]
    Expression {
        /// The expression, as text.
        expression: String,
        /// What is wrong with it.
        message: String,
    },
    /// A statement that cannot be bound; the message has RisingWave's prefix (`Bind error: …`).
    #[error("{0}")]
    Bind(String),
    /// Valid SQL that is not supported.
    #[error("Feature is not yet implemented: {0}")]
    NotImplemented(String),
    /// Valid SQL that RisingWave does not support either: what, and the number of its issue.
    #[error("Feature is not yet implemented: {0}")]
    Tracked(&'static str, u32),
    /// An expression failed on a value.
    #[error("{0}")]
    Evaluation(String),
    /// The relations are not those that the statement was planned over; plan it again.
    #[error("the relation {0} changed after the statement was prepared")]
    Stale(String),
    /// The query needed more memory than it may have.
    #[error("Out of memory: {0}")]
    Memory(String),
    /// The engine under the query failed.
    #[error("internal error: {0}")]
    Internal(String),
}

impl QueryError {
    /// The SQLSTATE that RisingWave reports.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RelationNotFound(_) | Self::TableNotFound(_) | Self::NotFound(..) => "42704",
            _ => "XX000",
        }
    }

    /// The causes, outermost first, as RisingWave lists them under "Caused by".
    pub fn causes(&self) -> Vec<String> {
        let last = self.to_string();
        match self {
            Self::RelationNotFound(_) | Self::TableNotFound(_) | Self::NotFound(..) => {
                vec!["Catalog error".into(), last]
            }
            Self::Expression { expression, .. } => {
                vec![format!("Failed to bind expression: {expression}"), last]
            }
            Self::Evaluation(_) => vec!["Expr error".into(), last],
            Self::Tracked(_, issue) => vec![format!(
                "{last}\nTracking issue: https://github.com/risingwavelabs/risingwave/issues/{issue}"
            )],
            Self::NotImplemented(_) => vec![format!(
                "{last}\nNo tracking issue yet. Feel free to submit a feature request at https://github.com/risingwavelabs/risingwave/issues/new?labels=type%2Ffeature&template=feature_request.yml"
            )],
            _ => vec![last],
        }
    }

    /// `Bind error: …`
    pub(crate) fn bind(message: impl std::fmt::Display) -> Self {
        Self::Bind(format!("Bind error: {message}"))
    }

    /// `Invalid input syntax: …`
    pub(crate) fn invalid_input(message: impl std::fmt::Display) -> Self {
        Self::Bind(format!("Invalid input syntax: {message}"))
    }

    /// A value that cannot be read: `Parse error: …`
    pub(crate) fn parse(message: impl std::fmt::Display) -> Self {
        Self::Evaluation(format!("Parse error: {message}"))
    }

    /// `Numeric out of range`
    pub(crate) fn out_of_range() -> Self {
        Self::Evaluation("Numeric out of range".into())
    }

    /// `Numeric out of range: overflow`
    pub(crate) fn overflow() -> Self {
        Self::Evaluation("Numeric out of range: overflow".into())
    }

    /// `Numeric out of range: underflow`
    pub(crate) fn underflow() -> Self {
        Self::Evaluation("Numeric out of range: underflow".into())
    }

    /// `Division by zero`
    pub(crate) fn division_by_zero() -> Self {
        Self::Evaluation("Division by zero".into())
    }

    /// `Invalid parameter name: reason`
    pub(crate) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::Evaluation(format!("Invalid parameter {name}: {reason}"))
    }

    /// Names the expression around an error; the outermost one stays.
    pub(crate) fn inside(self, expression: impl FnOnce() -> String) -> Self {
        match self {
            Self::Bind(message) | Self::Expression { message, .. } => Self::Expression {
                expression: expression(),
                message,
            },
            other => other,
        }
    }
}

impl From<QueryError> for DataFusionError {
    fn from(error: QueryError) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        from_datafusion(&error)
    }
}

impl From<ArrowError> for QueryError {
    fn from(error: ArrowError) -> Self {
        from_arrow(&error)
    }
}

fn from_datafusion(error: &DataFusionError) -> QueryError {
    match error {
        DataFusionError::External(inner) => from_any(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => from_arrow(inner),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            from_datafusion(inner)
        }
        DataFusionError::Shared(inner) => from_datafusion(inner),
        DataFusionError::Collection(errors) if !errors.is_empty() => from_datafusion(&errors[0]),
        DataFusionError::ResourcesExhausted(message) => QueryError::Memory(message.clone()),
        DataFusionError::NotImplemented(message)
            if message.contains("OuterReferenceColumn") || message.contains("Subquery(") =>
        {
            decorrelation()
        }
        // The binder knows every column: one that is missing was lost when a sub-query was made a join.
        DataFusionError::SchemaError(..) => decorrelation(),
        DataFusionError::NotImplemented(message) => QueryError::NotImplemented(message.clone()),
        other if other.to_string().contains("more than one row") => {
            QueryError::Evaluation("Scalar subquery produced more than one row".into())
        }
        other => QueryError::Internal(other.strip_backtrace()),
    }
}

fn decorrelation() -> QueryError {
    QueryError::NotImplemented("a correlated sub-query of this shape in the embedded engine".into())
}

fn from_arrow(error: &ArrowError) -> QueryError {
    match error {
        ArrowError::DivideByZero => QueryError::division_by_zero(),
        ArrowError::ArithmeticOverflow(_) => QueryError::out_of_range(),
        ArrowError::ExternalError(inner) => from_any(inner.as_ref()),
        ArrowError::CastError(message) => QueryError::Evaluation(message.clone()),
        other => QueryError::Internal(other.to_string()),
    }
}

fn from_any(error: &(dyn std::error::Error + Send + Sync + 'static)) -> QueryError {
    if let Some(error) = error.downcast_ref::<QueryError>() {
        return error.clone();
    }
    if let Some(error) = error.downcast_ref::<DataFusionError>() {
        return from_datafusion(error);
    }
    if let Some(error) = error.downcast_ref::<ArrowError>() {
        return from_arrow(error);
    }
    QueryError::Internal(error.to_string())
}
