//! Functions of lists and maps with an expression over their items: `array_transform` and `map_filter`.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::filter;
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::DFSchema;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use rwt_sql::DataType;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::kernel::{Args, Kernel};
use crate::types::item_field;

/// An expression over parameters, ready to run.
pub(crate) struct Lambda {
    body: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    /// Tells two lambdas apart.
    text: String,
}

impl fmt::Display for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Lambda {
    pub(crate) fn new(body: &Expr, params: Vec<(String, ArrowType)>) -> Result<Self, QueryError> {
        let text = format!("{params:?} {body}");
        let fields: Vec<Field> = params
            .into_iter()
            .map(|(name, arrow)| Field::new(name, arrow, true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let known = DFSchema::try_from(schema.clone())?;
        let body = create_physical_expr(body, &known, &ExecutionProps::new())?;
        Ok(Self { body, schema, text })
    }

    fn run(&self, params: Vec<ArrayRef>) -> Result<ArrayRef, QueryError> {
        let rows = params.first().map_or(0, |p| p.len());
        let batch = RecordBatch::try_new(self.schema.clone(), params)?;
        Ok(self.body.evaluate(&batch)?.into_array(rows)?)
    }
}

fn only(args: &Args) -> Result<ArrayRef, QueryError> {
    args.arrays()?
        .pop()
        .ok_or_else(|| QueryError::Internal("a lambda without its list".into()))
}

/// `array_transform(list, |x| …)`: the list of what the expression gives of each item.
pub(crate) fn transform(list: Bound, lambda: Lambda, item: &DataType, arrow: ArrowType) -> Bound {
    let field = item_field(arrow);
    let returns = ArrowType::List(field.clone());
    let expr = Kernel::call(
        "array_transform",
        lambda.to_string(),
        returns.clone(),
        Volatility::Immutable,
        vec![list.expr],
        move |args| {
            let lists = only(args)?;
            let lists = lists.as_list::<i32>();
            let offsets = lists.value_offsets();
            let (from, to) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
            let items = lambda.run(vec![lists.values().slice(from, to - from)])?;
            let lengths = offsets.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
            let offsets = OffsetBuffer::from_lengths(lengths);
            let nulls = lists.nulls().cloned();
            let list = ListArray::try_new(field.clone(), offsets, items, nulls)?;
            Ok(ColumnarValue::Array(Arc::new(list)))
        },
    );
    Bound::new(expr, DataType::List(Box::new(item.clone())), returns)
}

/// `map_filter(map, |k, v| …)`: the entries for which the expression holds; NULL if there are none.
pub(crate) fn filtered(map: Bound, lambda: Lambda) -> Bound {
    let returns = map.arrow.clone();
    let expr = Kernel::call(
        "map_filter",
        lambda.to_string(),
        returns.clone(),
        Volatility::Immutable,
        vec![map.expr],
        move |args| {
            let maps = only(args)?;
            let maps = maps.as_map();
            let offsets = maps.value_offsets();
            let (from, to) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
            let entries = maps.entries().slice(from, to - from);
            let kept = lambda.run(entries.columns().to_vec())?;
            let kept = kept.as_boolean();
            let holds = |at: usize| kept.is_valid(at) && kept.value(at);
            let lengths: Vec<usize> = offsets
                .windows(2)
                .map(|pair| {
                    (pair[0] as usize..pair[1] as usize)
                        .filter(|at| holds(at - from))
                        .count()
                })
                .collect();
            let some = (0..maps.len()).map(|row| maps.is_valid(row) && lengths[row] > 0);
            let nulls = arrow::buffer::NullBuffer::from_iter(some);
            let ArrowType::Map(field, sorted) = &returns else {
                return Err(QueryError::Internal("map_filter of no map".into()));
            };
            let map = MapArray::try_new(
                field.clone(),
                OffsetBuffer::from_lengths(lengths),
                filter(&entries, kept)?.as_struct().clone(),
                Some(nulls),
                *sorted,
            )?;
            Ok(ColumnarValue::Array(Arc::new(map)))
        },
    );
    Bound::new(expr, map.data_type, map.arrow)
}
