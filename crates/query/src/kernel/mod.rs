//! RisingWave's functions as DataFusion functions. The binder has already settled the types of the arguments and of
//! the result, so a kernel has no overloads: it is one closure over arrays.

pub(crate) mod arithmetic;
pub(crate) mod cast;
pub(crate) mod datetime;
pub(crate) mod jsonb;
pub(crate) mod list;
pub(crate) mod numbers;
pub(crate) mod pattern;
pub(crate) mod strings;
pub(crate) mod to_char;

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
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
        };
        ScalarUDF::new_from_impl(kernel).call(args)
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
        self.name == other.name && self.variant == other.variant && self.returns == other.returns
    }
}

impl Eq for Kernel {}

impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.variant.hash(state);
        self.returns.hash(state);
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
        match (self.body)(&args) {
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
