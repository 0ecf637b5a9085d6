//! Aggregates that DataFusion has not: the sum of numerics, and the only row of a sub-query.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType as ArrowType, Decimal256Type, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility,
};

use super::aggregate::{Modifiers, call};
use crate::error::QueryError;
use crate::numeric::{NUMERIC, Numeric};

/// `sum(numeric)`: the scale is the largest of the summands'; more than 96 bits are an error. NULL of no value.
pub(super) fn numeric_sum() -> Arc<AggregateUDF> {
    static SUM: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
        Arc::new(AggregateUDF::new_from_impl(NumericSum {
            signature: Signature::exact(vec![NUMERIC], Volatility::Immutable),
        }))
    });
    SUM.clone()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NumericSum {
    signature: Signature,
}

impl AggregateUDFImpl for NumericSum {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "numeric_sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[ArrowType]) -> DfResult<ArrowType> {
        Ok(NUMERIC)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(SumAccumulator {
            sum: Numeric::ZERO,
            count: 0,
            seen: args.is_distinct.then(Vec::new),
        }))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> DfResult<Box<dyn Accumulator>> {
        self.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        let field =
            |part: &str, arrow| Arc::new(Field::new(format!("{}[{part}]", args.name), arrow, true));
        if args.is_distinct {
            let item = Arc::new(Field::new("item", NUMERIC, true));
            return Ok(vec![field("values", ArrowType::List(item))]);
        }
        Ok(vec![
            field("sum", NUMERIC),
            field("count", ArrowType::Int64),
        ])
    }
}

/// The values of a numeric array that are not NULL.
fn numerics(array: &ArrayRef) -> impl Iterator<Item = Numeric> {
    array
        .as_primitive::<Decimal256Type>()
        .iter()
        .flatten()
        .map(Numeric::decode)
}

fn scalar(value: Option<Numeric>) -> ScalarValue {
    match (value.map(Numeric::encode), NUMERIC) {
        (code, ArrowType::Decimal256(precision, scale)) => {
            ScalarValue::Decimal256(code, precision, scale)
        }
        _ => ScalarValue::Null,
    }
}

#[derive(Debug)]
struct SumAccumulator {
    sum: Numeric,
    count: i64,
    /// With DISTINCT: the values so far.
    seen: Option<Vec<Numeric>>,
}

impl SumAccumulator {
    fn add(&mut self, value: Numeric) -> DfResult<()> {
        if let Some(seen) = &mut self.seen {
            match seen.binary_search(&value) {
                Ok(_) => return Ok(()),
                Err(place) => seen.insert(place, value),
            }
        }
        self.sum = self
            .sum
            .checked_add(value)
            .ok_or_else(QueryError::out_of_range)?;
        self.count += 1;
        Ok(())
    }
}

impl Accumulator for SumAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        numerics(&values[0]).try_for_each(|value| self.add(value))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for value in numerics(&values[0]) {
            self.sum = self
                .sum
                .checked_sub(value)
                .ok_or_else(QueryError::out_of_range)?;
            self.count -= 1;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.seen.is_none()
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(scalar((self.count > 0).then_some(self.sum)))
    }

    fn size(&self) -> usize {
        let seen = self.seen.as_ref().map_or(0, Vec::capacity);
        size_of_val(self) + seen * size_of::<Numeric>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(match &self.seen {
            Some(seen) => {
                let values: Vec<ScalarValue> = seen.iter().map(|v| scalar(Some(*v))).collect();
                vec![ScalarValue::List(ScalarValue::new_list_nullable(
                    &values, &NUMERIC,
                ))]
            }
            None => vec![scalar(Some(self.sum)), ScalarValue::Int64(Some(self.count))],
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        if self.seen.is_some() {
            let lists = states[0].as_list::<i32>();
            return numerics(lists.values()).try_for_each(|value| self.add(value));
        }
        let counts = states[1].as_primitive::<arrow::datatypes::Int64Type>();
        for (row, sum) in states[0]
            .as_primitive::<Decimal256Type>()
            .iter()
            .enumerate()
        {
            if let Some(code) = sum
                && counts.value(row) > 0
            {
                self.sum = self
                    .sum
                    .checked_add(Numeric::decode(code))
                    .ok_or_else(QueryError::out_of_range)?;
                self.count += counts.value(row);
            }
        }
        Ok(())
    }
}

/// The only row of a scalar sub-query; several are an error.
pub(crate) fn single_value(value: Expr, arrow: &ArrowType) -> Expr {
    let udf = AggregateUDF::new_from_impl(Single {
        arrow: arrow.clone(),
        signature: Signature::any(1, Volatility::Immutable),
    });
    call(Arc::new(udf), vec![value], &Modifiers::default())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Single {
    arrow: ArrowType,
    signature: Signature,
}

impl AggregateUDFImpl for Single {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[ArrowType]) -> DfResult<ArrowType> {
        Ok(self.arrow.clone())
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(SingleAccumulator {
            value: ScalarValue::try_from(&self.arrow)?,
            rows: 0,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new(
                format!("{}[value]", args.name),
                self.arrow.clone(),
                true,
            )),
            Arc::new(Field::new(
                format!("{}[rows]", args.name),
                ArrowType::Int64,
                false,
            )),
        ])
    }
}

#[derive(Debug)]
struct SingleAccumulator {
    value: ScalarValue,
    rows: i64,
}

impl SingleAccumulator {
    fn check(&self) -> DfResult<()> {
        if self.rows > 1 {
            return Err(QueryError::Evaluation(
                "Scalar subquery produced more than one row".into(),
            )
            .into());
        }
        Ok(())
    }
}

impl Accumulator for SingleAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        if let Some(values) = values.first()
            && !values.is_empty()
        {
            self.rows += i64::try_from(values.len()).unwrap_or(i64::MAX);
            self.check()?;
            self.value = ScalarValue::try_from_array(values, 0)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![
            self.value.clone(),
            ScalarValue::Int64(Some(self.rows)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        for row in 0..states[0].len() {
            if let ScalarValue::Int64(Some(rows)) = ScalarValue::try_from_array(&states[1], row)?
                && rows > 0
            {
                self.rows += rows;
                self.check()?;
                self.value = ScalarValue::try_from_array(&states[0], row)?;
            }
        }
        Ok(())
    }
}
