//! RisingWave's functions as DataFusion functions. The binder has already settled the types of the arguments and of
//! the result, so a kernel has no overloads: it is one closure over arrays.

pub(crate) mod arithmetic;
pub(crate) mod array;
pub(crate) mod bytes;
pub(crate) mod cast;
pub(crate) mod cipher;
pub(crate) mod datetime;
pub(crate) mod degrees;
pub(crate) mod json_path;
pub(crate) mod jsonb;
pub(crate) mod key;
pub(crate) mod lambda;
pub(crate) mod list;
pub(crate) mod map;
pub(crate) mod numbers;
pub(crate) mod pattern;
pub(crate) mod record;
pub(crate) mod series;
pub(crate) mod strings;
pub(crate) mod to_char;

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::QueryError;
use crate::value::{self, Value};

/// Arguments of a call: arrays of one length, or scalars.
pub(crate) struct Args {
    pub(crate) values: Vec<ColumnarValue>,
    pub(crate) rows: usize,
}

impl Args {
    /// All arguments as arrays of the batch's length.
    pub(crate) fn arrays(&self) -> Result<Vec<ArrayRef>, QueryError> {
        self.values
            .iter()
            .map(|v| Ok(v.to_array(self.rows)?))
            .collect()
    }
}

type Body = Arc<dyn Fn(&Args) -> Result<ColumnarValue, QueryError> + Send + Sync>;

/// A function with settled types.
pub(crate) struct Kernel {
    name: String,
    /// What the closure depends on besides its arguments (a time zone, a scale): part of the function's identity.
    variant: String,
    returns: ArrowType,
    signature: Signature,
    body: Body,
    /// A row that fails is NULL instead of an error, as in RisingWave's streams.
    lenient: bool,
}

impl Kernel {
    /// A call of a function over whole arrays.
    pub(crate) fn call(
        name: &str,
        variant: impl Into<String>,
        returns: ArrowType,
        volatility: Volatility,
        args: Vec<Expr>,
        body: impl Fn(&Args) -> Result<ColumnarValue, QueryError> + Send + Sync + 'static,
    ) -> Expr {
        let signature = if args.is_empty() {
            Signature::nullary(volatility)
        } else {
            Signature::any(args.len(), volatility)
        };
        let kernel = Self {
            name: name.to_owned(),
            variant: variant.into(),
            returns,
            signature,
            body: Arc::new(body),
            lenient: false,
        };
        ScalarUDF::new_from_impl(kernel).call(args)
    }

    /// The same function with NULL in place of errors.
    pub(crate) fn lenient(&self) -> Self {
        Self {
            name: self.name.clone(),
            variant: self.variant.clone(),
            returns: self.returns.clone(),
            signature: self.signature.clone(),
            body: self.body.clone(),
            lenient: true,
        }
    }

    /// Halves a batch until the rows that fail are alone.
    fn run_lenient(&self, args: &Args) -> Result<ColumnarValue, QueryError> {
        let error = match (self.body)(args) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if !matches!(error, QueryError::Evaluation(_)) {
            return Err(error);
        }
        let scalar = args
            .values
            .iter()
            .all(|v| matches!(v, ColumnarValue::Scalar(_)));
        if scalar || args.rows <= 1 {
            let null = ScalarValue::try_from(&self.returns)?;
            return Ok(if scalar {
                ColumnarValue::Scalar(null)
            } else {
                ColumnarValue::Array(null.to_array_of_size(args.rows)?)
            });
        }
        let half = args.rows / 2;
        let mut parts = Vec::with_capacity(2);
        for (from, length) in [(0, half), (half, args.rows - half)] {
            let values = args
                .values
                .iter()
                .map(|v| match v {
                    ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, length)),
                    scalar => scalar.clone(),
                })
                .collect();
            let part = Args {
                values,
                rows: length,
            };
            parts.push(self.run_lenient(&part)?.to_array(length)?);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(|p| p.as_ref()).collect();
        Ok(ColumnarValue::Array(arrow::compute::concat(&parts)?))
    }

    /// A call of a function that sees one row at a time. With `strict`, a NULL argument gives NULL.
    pub(crate) fn rowwise(
        name: &str,
        variant: impl Into<String>,
        returns: ArrowType,
        volatility: Volatility,
        strict: bool,
        args: Vec<Expr>,
        row: impl for<'a> Fn(&[Value<'a>]) -> Result<Value<'a>, QueryError> + Send + Sync + 'static,
    ) -> Expr {
        let result = returns.clone();
        Self::call(name, variant, returns, volatility, args, move |args| {
            let all_scalar = args
                .values
                .iter()
                .all(|v| matches!(v, ColumnarValue::Scalar(_)));
            let volatile = volatility == Volatility::Volatile;
            let rows = if all_scalar && !volatile {
                1
            } else {
                args.rows
            };
            let arrays: Vec<ArrayRef> = args
                .values
                .iter()
                .map(|v| v.to_array(rows))
                .collect::<Result<_, _>>()?;
            let mut out = Vec::with_capacity(rows);
            let mut values = Vec::with_capacity(arrays.len());
            for i in 0..rows {
                values.clear();
                for array in &arrays {
                    values.push(value::read(array, i)?);
                }
                if strict && values.iter().any(Value::is_null) {
                    out.push(Value::Null);
                } else {
                    out.push(row(&values)?);
                }
            }
            let array = value::build(&out, &result)?;
            if all_scalar && !volatile {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                    &array, 0,
                )?))
            } else {
                Ok(ColumnarValue::Array(array))
            }
        })
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] -> {}", self.name, self.variant, self.returns)
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.variant == other.variant
            && self.returns == other.returns
            && self.lenient == other.lenient
    }
}

impl Eq for Kernel {}

impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.variant.hash(state);
        self.returns.hash(state);
        self.lenient.hash(state);
    }
}

impl ScalarUDFImpl for Kernel {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        use std::fmt::Write as _;
        // The result type and the variant keep `cast(x)` to two types apart.
        let mut out = format!("{}<{}:{}>(", self.name, self.returns, self.variant);
        for (i, arg) in args.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(out, "{comma}{}", arg.schema_name())?;
        }
        out.push(')');
        Ok(out)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[ArrowType]) -> DfResult<ArrowType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let args = Args {
            values: args.args,
            rows: args.number_rows,
        };
        let result = if self.lenient {
            self.run_lenient(&args)
        } else {
            (self.body)(&args)
        };
        match result {
            Ok(ColumnarValue::Array(array)) if array.len() != args.rows => {
                Err(DataFusionError::Internal(format!(
                    "{} gave {} rows for {}",
                    self.name,
                    array.len(),
                    args.rows
                )))
            }
            Ok(value) => Ok(value),
            Err(error) => Err(error.into()),
        }
    }
}

/// Every function of a plan with NULL in place of errors.
pub(crate) fn lenient_plan(plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
    let done = plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| {
            expr.transform_up(|e| {
                let Expr::ScalarFunction(call) = &e else {
                    return Ok(Transformed::no(e));
                };
                let Some(kernel) = call.func.inner().as_any().downcast_ref::<Kernel>() else {
                    return Ok(Transformed::no(e));
                };
                let lenient = ScalarUDF::new_from_impl(kernel.lenient());
                Ok(Transformed::yes(lenient.call(call.args.clone())))
            })
        })
    })?;
    Ok(done.data)
}
