//! TUMBLE and HOP: the rows of a relation with the window (or windows) that their time falls into.

use std::sync::Arc;

use arrow::array::{AsArray, PrimitiveArray};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use datafusion::logical_expr::{ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, Volatility};
use rwt_sql::DataType;
use sqlparser::ast::{Expr as Ast, FunctionArg, FunctionArgExpr, ObjectName};

use super::from::BoundQueryWithHidden;
use super::query::output_scope;
use super::{Binder, Bound, Env, OutputColumn, column};
use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::kernel::arithmetic::finish;
use crate::kernel::datetime::window_start;
use crate::names;
use crate::text;
use crate::types::arrow_type;
use crate::value::{self, Interval};

const DAY: i64 = 86_400_000_000;

impl Binder<'_> {
    /// `TUMBLE(relation, time, size [, offset])` or `HOP(relation, time, slide, size [, offset])`: all columns of the
    /// relation, then `window_start` and `window_end`. Gives the relation's name, too.
    pub(crate) fn window_table(
        &self,
        function: &ObjectName,
        args: &[FunctionArg],
        env: &Env<'_>,
    ) -> Result<(BoundQueryWithHidden, String), QueryError> {
        let hop = names::parts(function)
            .last()
            .is_some_and(|name| name == "hop");
        let args: Vec<&Ast> = args
            .iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => Ok(ast),
                other => Err(QueryError::bind(format!(
                    "invalid argument of a window table function: {other}"
                ))),
            })
            .collect::<Result<_, _>>()?;
        let relation = args.first().and_then(|ast| names::relation_of_expr(ast)).ok_or_else(|| {
            QueryError::bind(
                "The 1st arg of window table function should be a table name (incl. source, CTE, view) but not complex \
                 structure (subquery, join, another table function). Consider using an intermediate CTE or view as workaround.",
            )
        })?;
        let BoundQueryWithHidden { query, mut hidden } = self.named_relation(&relation, env)?;
        if query
            .columns
            .iter()
            .any(|c| c.name == "window_start" || c.name == "window_end")
        {
            return Err(QueryError::bind(
                "column names `window_start` and `window_end` are not allowed in window table function's input",
            ));
        }
        let scope = output_scope(&query.columns);
        let time = args.get(1).ok_or_else(|| {
            QueryError::bind("The 2nd arg of window table function should be a column name but not complex expression. Consider using an intermediate CTE or view as workaround.")
        })?;
        let time = self.expr(
            time,
            &Env {
                scope: &scope,
                ..*env
            },
        )?;
        if !matches!(
            time.data_type,
            DataType::Timestamp | DataType::Timestamptz | DataType::Date
        ) {
            return Err(QueryError::bind(
                "The 2st arg of window table function should be a column of type timestamp with time zone, timestamp or date",
            ));
        }
        let returns = match time.data_type {
            DataType::Date => DataType::Timestamp,
            ref other => other.clone(),
        };
        let mut lengths = Vec::new();
        for arg in args.iter().skip(2) {
            lengths.push(self.window_length(arg, env)?);
        }
        let needed = if hop { 2 } else { 1 };
        if lengths.len() < needed || lengths.len() > needed + 1 {
            let missing = if hop && lengths.is_empty() {
                "slide"
            } else {
                "size"
            };
            return Err(QueryError::bind(format!(
                "The {missing} arg of window table function should be an interval literal"
            )));
        }
        let offset = lengths.get(needed).map_or(0, |v| v.total_micros());
        let size = lengths[needed - 1];
        let slide = lengths[0];
        if slide.total_micros() <= 0 || size.total_micros() <= 0 {
            return Err(QueryError::division_by_zero());
        }
        if size.total_micros() % slide.total_micros() != 0 {
            return Err(QueryError::bind(format!(
                "Invalid arguments for HOP window function: window_size {} cannot be divided by window_slide {}",
                text::interval(size),
                text::interval(slide)
            )));
        }
        let count = size.total_micros() / slide.total_micros();
        let (start, end) = (self.fresh("window_start"), self.fresh("window_end"));
        let mut plans: Vec<LogicalPlan> = Vec::new();
        for step in (0..count).rev() {
            let back = step * slide.total_micros();
            let mut exprs: Vec<Expr> = query
                .plan
                .schema()
                .columns()
                .into_iter()
                .map(Expr::Column)
                .collect();
            let window =
                |shift: i64| bound_of_window(&time, &returns, slide.total_micros(), offset, shift);
            exprs.push(window(-back).alias(&start));
            exprs.push(window(size.total_micros() - back).alias(&end));
            let mut plan = LogicalPlanBuilder::from(query.plan.clone());
            if hop {
                // A row without a time is in no window of HOP; TUMBLE keeps it with NULL windows.
                plan = plan.filter(Expr::IsNotNull(Box::new(time.expr.clone())))?;
            }
            plans.push(plan.project(exprs)?.build()?);
        }
        let mut columns = query.columns;
        let plan = if plans.len() == 1 {
            plans.remove(0)
        } else {
            self.union_all(plans, &mut columns, &start, &end)?
        };
        for (name, fresh) in [("window_start", &start), ("window_end", &end)] {
            columns.push(OutputColumn {
                name: name.into(),
                bound: Bound::new(column(fresh), returns.clone(), arrow_type(&returns)),
                named: true,
            });
            hidden.push(false);
        }
        let query = super::BoundQuery { plan, columns };
        Ok((BoundQueryWithHidden { query, hidden }, relation.1))
    }

    /// UNION ALL drops the table's name from its columns, so they get new names.
    fn union_all(
        &self,
        plans: Vec<LogicalPlan>,
        columns: &mut [OutputColumn],
        start: &str,
        end: &str,
    ) -> Result<LogicalPlan, QueryError> {
        let names: Vec<String> = columns.iter().map(|c| self.fresh(&c.name)).collect();
        let mut union: Option<LogicalPlan> = None;
        for plan in plans {
            let exprs: Vec<Expr> = columns
                .iter()
                .zip(&names)
                .map(|(c, name)| c.bound.expr.clone().alias(name))
                .chain([column(start), column(end)])
                .collect();
            let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
            union = Some(match union {
                None => plan,
                Some(before) => LogicalPlanBuilder::from(before).union(plan)?.build()?,
            });
        }
        for (column_out, name) in columns.iter_mut().zip(&names) {
            column_out.bound.expr = column(name);
        }
        union.ok_or_else(|| QueryError::Internal("a window without plans".into()))
    }

    fn window_length(&self, ast: &Ast, env: &Env<'_>) -> Result<Interval, QueryError> {
        let wrong = || {
            QueryError::bind("The size arg of window table function should be an interval literal")
        };
        let bound = self.expr(ast, env)?;
        let bound = if bound.untyped {
            self.settle(bound, &DataType::Interval)?
        } else {
            bound
        };
        let (DataType::Interval, Some(literal)) = (&bound.data_type, bound.literal()) else {
            return Err(wrong());
        };
        let array = literal.to_array()?;
        Ok(value::read(&array, 0)?.interval())
    }
}

/// The start of a row's window, moved by `shift` microseconds.
fn bound_of_window(time: &Bound, returns: &DataType, slide: i64, offset: i64, shift: i64) -> Expr {
    let arrow = arrow_type(returns);
    let result = arrow.clone();
    Kernel::call(
        "window_bound",
        format!("{slide},{offset},{shift}"),
        arrow,
        Volatility::Immutable,
        vec![time.expr.clone()],
        move |args| {
            let arrays = args.arrays()?;
            let bound = |micros: i64| window_start(micros, slide, offset) + shift;
            let array: PrimitiveArray<TimestampMicrosecondType> =
                match arrays[0].as_primitive_opt::<Date32Type>() {
                    Some(dates) => dates.unary(|days| bound(i64::from(days) * DAY)),
                    None => arrays[0]
                        .as_primitive::<TimestampMicrosecondType>()
                        .unary(bound),
                };
            let array = array.with_data_type(result.clone());
            let value: ColumnarValue = finish(Arc::new(array), &args.values);
            Ok(value)
        },
    )
}
