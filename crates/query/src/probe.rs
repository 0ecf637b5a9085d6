//! Which conditions of a query held for a row. Who measures what tests cover wraps a condition as `rwt_probe(7, …)` and asks
//! afterwards whether 7 was seen. A query that is planned without a [`Probe`] knows no such function.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::AsArray;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, Volatility};
use rwt_sql::DataType;

use crate::bind::{Binder, Bound};
use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::types::arrow_type;

/// The function's name.
pub const PROBE: &str = "rwt_probe";

/// The numbers of conditions that were true for a row.
#[derive(Debug, Clone, Default)]
pub struct Probe(Arc<Mutex<BTreeSet<i64>>>);

impl Probe {
    /// The numbers so far.
    pub fn seen(&self) -> BTreeSet<i64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, number: i64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(number);
    }
}

impl Binder<'_> {
    /// `rwt_probe(number, condition)`: the condition, and a note of whether it was true.
    pub(crate) fn probed(&self, probe: &Probe, mut args: Vec<Bound>) -> Result<Bound, QueryError> {
        let wrong = || QueryError::bind("rwt_probe takes a number and a condition");
        let condition = args.pop().ok_or_else(wrong)?;
        let number = match args.pop().as_ref().and_then(Bound::literal) {
            Some(ScalarValue::Int32(Some(number))) => i64::from(*number),
            Some(ScalarValue::Int64(Some(number))) => *number,
            _ => return Err(wrong()),
        };
        let condition = if condition.untyped {
            self.settle(condition, &DataType::Boolean)?
        } else {
            condition
        };
        let probe = probe.clone();
        // Volatile: it must not be worked out before there are rows.
        Ok(Bound::boolean(Kernel::call(
            PROBE,
            number.to_string(),
            arrow_type(&DataType::Boolean),
            Volatility::Volatile,
            vec![condition.expr],
            move |args| {
                let value = args.values.first().cloned().ok_or_else(wrong)?;
                let holds = match &value {
                    ColumnarValue::Array(array) => array
                        .as_boolean_opt()
                        .is_some_and(|array| array.true_count() > 0),
                    ColumnarValue::Scalar(value) => {
                        args.rows > 0 && *value == ScalarValue::Boolean(Some(true))
                    }
                };
                if holds {
                    probe.note(number);
                }
                Ok(value)
            },
        )))
    }
}
