//! Running plans: constants, the statement's time, `pg_sleep`.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType as ArrowType, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::create_physical_expr;
use rwt_sql::DataType;

use crate::bind::Bound;
use crate::error::QueryError;

/// The parameter that stands for the statement's time.
pub(crate) const NOW: &str = "$now";

/// The value of an expression without columns.
pub(crate) fn constant(expr: &Expr) -> Result<ScalarValue, QueryError> {
    if let Expr::Literal(value, _) = expr {
        return Ok(value.clone());
    }
    let physical = create_physical_expr(expr, &DFSchema::empty(), &ExecutionProps::new())?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
    match physical.evaluate(&row)? {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(array) => Ok(ScalarValue::try_from_array(&array, 0)?),
    }
}

/// `pg_sleep(seconds)`: waits without holding a thread, so that the statement can be cancelled.
pub(crate) fn sleep(seconds: Expr) -> Bound {
    let udf = AsyncScalarUDF::new(Arc::new(Sleep {
        signature: Signature::any(1, Volatility::Volatile),
    }));
    Bound::of(udf.into_scalar_udf().call(vec![seconds]), DataType::Varchar)
}

#[derive(Debug)]
struct Sleep {
    signature: Signature,
}

impl PartialEq for Sleep {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Sleep {}

impl Hash for Sleep {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "pg_sleep".hash(state);
    }
}

impl ScalarUDFImpl for Sleep {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "pg_sleep"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[ArrowType]) -> DfResult<ArrowType> {
        Ok(ArrowType::Utf8)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(QueryError::NotImplemented("pg_sleep outside of a query's rows".into()).into())
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Sleep {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let seconds = args.args[0].to_array(args.number_rows)?;
        for row in 0..args.number_rows {
            if let crate::value::Value::Float(seconds) = crate::value::read(&seconds, row)?
                && seconds > 0.0
                && let Ok(wait) = Duration::try_from_secs_f64(seconds)
            {
                tokio::time::sleep(wait).await;
            }
        }
        let done = ScalarValue::Utf8(None).to_array_of_size(args.number_rows)?;
        Ok(ColumnarValue::Array(done))
    }
}
