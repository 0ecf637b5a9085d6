//! Calls with OVER: ranking, offsets and aggregates over a window.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::functions_window as df;
use datafusion::logical_expr::expr::{
    AggregateFunction, Case, NullTreatment, WindowFunction, WindowFunctionParams,
};
use datafusion::logical_expr::{
    Expr, SortExpr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use rwt_sql::DataType;
use sqlparser::ast::{
    self, NamedWindowExpr, OrderByExpr, WindowFrameBound as AstBound, WindowFrameUnits as AstUnits,
    WindowSpec, WindowType,
};

use super::operator::Comparison;
use super::query::sort;
use super::{Binder, Bound, CastContext, Env};
use crate::error::QueryError;
use crate::names::folded;

/// A window: how rows are partitioned, ordered and framed.
#[derive(Debug, Clone)]
pub(crate) struct Over {
    partition_by: Vec<Expr>,
    order_by: Vec<SortExpr>,
    frame: WindowFrame,
    /// The frame ends before it begins.
    empty: bool,
    /// The number of the session that is the frame of `SESSION WITH GAP`.
    session: Option<Expr>,
}

/// What stands in PARTITION BY where nothing was written: the plan shows by it which windows are whole inputs.
const WHOLE: &str = "rwt:whole";

pub(crate) fn is_whole(partition_by: &[Expr]) -> bool {
    matches!(partition_by, [Expr::Literal(ScalarValue::Utf8(Some(text)), _)] if text == WHOLE)
}

impl Over {
    /// The window of a function that looks at its frame: a session is a partition of its own.
    fn framed(mut self) -> Self {
        self.partition_by.extend(self.session.take());
        self
    }
}

/// Names of functions that only exist with OVER.
pub(crate) fn is_window_function(name: &str) -> bool {
    matches!(
        name,
        "row_number"
            | "rank"
            | "dense_rank"
            | "percent_rank"
            | "cume_dist"
            | "ntile"
            | "lag"
            | "lead"
            | "nth_value"
    )
}

impl Binder<'_> {
    pub(crate) fn over(&self, window: &WindowType, env: &Env<'_>) -> Result<Over, QueryError> {
        let mut over = match window {
            WindowType::WindowSpec(spec) => self.window_spec(spec, env)?,
            WindowType::NamedWindow(name) => self.named_window(&folded(name), env, 0)?,
        };
        if over.partition_by.is_empty() {
            let whole = ScalarValue::Utf8(Some(WHOLE.into()));
            over.partition_by.push(Expr::Literal(whole, None));
        }
        Ok(over)
    }

    fn named_window(&self, name: &str, env: &Env<'_>, depth: usize) -> Result<Over, QueryError> {
        let found = env.windows.iter().find(|w| folded(&w.0) == name);
        match found.map(|w| &w.1) {
            Some(NamedWindowExpr::WindowSpec(spec)) => self.window_spec(spec, env),
            Some(NamedWindowExpr::NamedWindow(other)) if depth < 16 => {
                self.named_window(&folded(other), env, depth + 1)
            }
            _ => Err(QueryError::bind(format!(
                "window \"{name}\" does not exist"
            ))),
        }
    }

    fn window_spec(&self, spec: &WindowSpec, env: &Env<'_>) -> Result<Over, QueryError> {
        let mut over = match &spec.window_name {
            Some(name) => self.named_window(&folded(name), env, 0)?,
            None => Over {
                partition_by: Vec::new(),
                order_by: Vec::new(),
                frame: WindowFrame::new(None),
                empty: false,
                session: None,
            },
        };
        for ast in &spec.partition_by {
            let by = self.any(ast, env)?;
            self.state_key(&by, "over window partition key")?;
            over.partition_by.push(by.key());
        }
        over.order_by.extend(self.sorts(&spec.order_by, env)?);
        over.frame = match &spec.window_frame {
            Some(ast::WindowFrame {
                units: AstUnits::Groups,
                start_bound: AstBound::Following(Some(gap)),
                end_bound: None,
            }) => {
                over.session = Some(self.session(&over, &spec.order_by, gap, env)?);
                WindowFrame::new(None)
            }
            Some(frame) => {
                let by = match spec.order_by.as_slice() {
                    [item] => Some(self.any(&item.expr, env)?),
                    _ => None,
                };
                let found = self.frame(frame, by.as_ref(), env)?;
                over.empty = is_empty(&found);
                match over.empty {
                    true => WindowFrame::new(Some(true)),
                    false => found,
                }
            }
            // The rows before and this one: rows that the order does not tell apart are no group.
            None if !over.order_by.is_empty() => WindowFrame::new_bounds(
                WindowFrameUnits::Rows,
                WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
                WindowFrameBound::CurrentRow,
            ),
            None => WindowFrame::new(None),
        };
        Ok(over)
    }

    /// The number of a row's session: one begins where a row is at least the gap behind the one before it.
    fn session(
        &self,
        over: &Over,
        order_by: &[OrderByExpr],
        gap: &ast::Expr,
        env: &Env<'_>,
    ) -> Result<Expr, QueryError> {
        let [item] = order_by else {
            return Err(QueryError::invalid_input(
                "there must be exactly one ordering column for `SESSION` frame",
            ));
        };
        if item.options.asc == Some(false) {
            return Err(QueryError::NotImplemented(
                "a `SESSION` frame of descending rows in the embedded engine".into(),
            ));
        }
        let value = self.any(&item.expr, env)?;
        let before = self.window_call("lag", vec![value.clone()], over.clone())?;
        let gap = self.expr(gap, env)?;
        let next = self.operator(&ast::BinaryOperator::Plus, before, gap)?;
        let begins = self.comparison(Comparison::GreaterOrEqual, value, next)?;
        let number = |n: i64| Box::new(Expr::Literal(ScalarValue::Int64(Some(n)), None));
        let begun = Case::new(
            None,
            vec![(Box::new(begins.expr), number(1))],
            Some(number(0)),
        );
        let unbounded = WindowFrameBound::Preceding(ScalarValue::UInt64(None));
        let so_far = Over {
            frame: WindowFrame::new_bounds(
                WindowFrameUnits::Rows,
                unbounded,
                WindowFrameBound::CurrentRow,
            ),
            ..over.clone()
        };
        let sum = datafusion::functions_aggregate::sum::sum_udaf();
        Ok(Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::AggregateUDF(sum),
            params: params(vec![Expr::Case(begun)], so_far, None, false),
        })))
    }

    /// The Arrow types of the sort keys of an aggregate.
    pub(crate) fn sort_types(
        &self,
        items: &[OrderByExpr],
        env: &Env<'_>,
    ) -> Result<Vec<arrow::datatypes::DataType>, QueryError> {
        items
            .iter()
            .map(|item| Ok(self.any(&item.expr, env)?.arrow))
            .collect()
    }

    /// The sort keys of a window or aggregate.
    pub(crate) fn sorts(
        &self,
        items: &[OrderByExpr],
        env: &Env<'_>,
    ) -> Result<Vec<SortExpr>, QueryError> {
        items
            .iter()
            .map(|item| Ok(sort(self.any(&item.expr, env)?.key(), item)))
            .collect()
    }

    /// The frame of a window whose only sort key is `by`.
    fn frame(
        &self,
        frame: &ast::WindowFrame,
        by: Option<&Bound>,
        env: &Env<'_>,
    ) -> Result<WindowFrame, QueryError> {
        let units = match frame.units {
            AstUnits::Rows => WindowFrameUnits::Rows,
            AstUnits::Range => WindowFrameUnits::Range,
            AstUnits::Groups => {
                return Err(QueryError::NotImplemented(
                    "window frame in `GROUPS` mode is not supported yet".into(),
                ));
            }
        };
        let start = self.frame_bound(&frame.start_bound, units, by, env)?;
        let end = match &frame.end_bound {
            Some(bound) => self.frame_bound(bound, units, by, env)?,
            None => WindowFrameBound::CurrentRow,
        };
        Ok(WindowFrame::new_bounds(units, start, end))
    }

    fn frame_bound(
        &self,
        bound: &AstBound,
        units: WindowFrameUnits,
        by: Option<&Bound>,
        env: &Env<'_>,
    ) -> Result<WindowFrameBound, QueryError> {
        let distance = |ast: &Option<Box<ast::Expr>>| -> Result<ScalarValue, QueryError> {
            let Some(ast) = ast else {
                return Ok(ScalarValue::Null);
            };
            let bound = self.expr(ast, env)?;
            if let (WindowFrameUnits::Range, Some(by)) = (units, by)
                && by.data_type == DataType::Numeric
            {
                let distance = self.cast(bound, &DataType::Numeric, CastContext::Implicit)?;
                let distance = crate::execute::constant(&distance.expr)?.to_array()?;
                let distance = crate::value::read(&distance, 0)?.decimal();
                return Ok(crate::numeric::distance_scalar(distance));
            }
            if units == WindowFrameUnits::Range {
                return Ok(bound.literal().cloned().unwrap_or(ScalarValue::Null));
            }
            let bound = self.cast(bound, &DataType::BigInt, CastContext::Implicit)?;
            match crate::execute::constant(&bound.expr)? {
                ScalarValue::Int64(Some(n)) if n >= 0 => {
                    Ok(ScalarValue::UInt64(u64::try_from(n).ok()))
                }
                _ => Err(QueryError::invalid_input(
                    "a window frame's distance must be a whole number",
                )),
            }
        };
        Ok(match bound {
            AstBound::CurrentRow => WindowFrameBound::CurrentRow,
            AstBound::Preceding(ast) => WindowFrameBound::Preceding(distance(ast)?),
            AstBound::Following(ast) => WindowFrameBound::Following(distance(ast)?),
        })
    }

    /// A function that needs OVER.
    pub(crate) fn window_call(
        &self,
        name: &str,
        args: Vec<Bound>,
        over: Over,
    ) -> Result<Bound, QueryError> {
        let missing = || invalid_call(name, &args);
        if is_ranking(name) && args.is_empty() && over.order_by.is_empty() {
            let partition = match is_whole(&over.partition_by) {
                true => String::new(),
                false => {
                    let by: Vec<String> =
                        over.partition_by.iter().map(ToString::to_string).collect();
                    format!("PARTITION BY [{}]", by.join(", "))
                }
            };
            return Err(QueryError::invalid_input(format!(
                "window rank function without order by: {name}() OVER({partition})"
            )));
        }
        let (fun, data_type, arrow, exprs) = match (name, args.len()) {
            ("row_number", 0) => (
                df::row_number::row_number_udwf(),
                DataType::BigInt,
                None,
                vec![],
            ),
            ("rank", 0) => (df::rank::rank_udwf(), DataType::BigInt, None, vec![]),
            ("dense_rank", 0) => (df::rank::dense_rank_udwf(), DataType::BigInt, None, vec![]),
            ("percent_rank" | "cume_dist" | "ntile" | "nth_value", _) => {
                return Err(QueryError::NotImplemented(format!(
                    "Unrecognized window function: {name}"
                )));
            }
            ("lag" | "lead", 3) => {
                return Err(QueryError::NotImplemented(format!(
                    "`{name}` window function with `default` argument is not supported yet"
                )));
            }
            ("lag" | "lead", 1..=2) => {
                let value = self.default_type(args[0].clone())?;
                let mut exprs = vec![value.expr.clone()];
                if let Some(offset) = args.get(1) {
                    exprs.push(self.offset(name, offset)?);
                }
                let udwf = if name == "lag" {
                    df::lead_lag::lag_udwf()
                } else {
                    df::lead_lag::lead_udwf()
                };
                (udwf, value.data_type, Some(value.arrow), exprs)
            }
            _ => return Err(missing()),
        };
        let window = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(fun),
            params: params(exprs, over, None, false),
        }));
        // DataFusion ranks with UInt64.
        if arrow.is_none() && data_type == DataType::BigInt {
            let cast = datafusion::logical_expr::Cast::new(
                Box::new(window),
                arrow::datatypes::DataType::Int64,
            );
            return Ok(Bound::of(Expr::Cast(cast), DataType::BigInt));
        }
        Ok(match arrow {
            Some(arrow) => Bound::new(window, data_type, arrow),
            None => Bound::of(window, data_type),
        })
    }

    /// How far `lag` and `lead` look: a constant, one row where it is NULL.
    fn offset(&self, name: &str, offset: &Bound) -> Result<Expr, QueryError> {
        let offset = match offset.untyped {
            true => self.cast(offset.clone(), &DataType::Integer, CastContext::Implicit)?,
            false => offset.clone(),
        };
        if !matches!(
            offset.data_type,
            DataType::SmallInt | DataType::Integer | DataType::BigInt
        ) {
            return Err(QueryError::invalid_input(format!(
                "the `offset` of `{name}` function should be integer"
            )));
        }
        if offset.expr.any_column_refs() {
            return Err(QueryError::NotImplemented(format!(
                "non-const `offset` of `{name}` function is not supported yet"
            )));
        }
        let offset = self.cast(offset, &DataType::BigInt, CastContext::Implicit)?;
        let rows = match crate::execute::constant(&offset.expr)? {
            ScalarValue::Int64(Some(rows)) => rows,
            _ => 1,
        };
        Ok(Expr::Literal(ScalarValue::Int64(Some(rows)), None))
    }

    /// `first_value` and `last_value` over a window: the value of the row at an end of the frame.
    pub(crate) fn end_of_frame(
        &self,
        name: &str,
        mut args: Vec<Bound>,
        filter: Option<Expr>,
        over: Over,
        ignore_nulls: bool,
    ) -> Result<Bound, QueryError> {
        let missing = invalid_call(name, &args);
        let Some(value) = args.pop().filter(|_| args.is_empty()) else {
            return Err(missing);
        };
        if filter.is_some() {
            return Err(QueryError::NotImplemented(format!(
                "{name} with FILTER and OVER in the embedded engine"
            )));
        }
        let value = self.default_type(value)?;
        let udwf = match name {
            "first_value" => df::nth_value::first_value_udwf(),
            _ => df::nth_value::last_value_udwf(),
        };
        let expr = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(udwf),
            params: WindowFunctionParams {
                null_treatment: ignore_nulls.then_some(NullTreatment::IgnoreNulls),
                ..params(vec![value.expr], over.framed(), None, false)
            },
        }));
        Ok(Bound::new(expr, value.data_type, value.arrow))
    }

    /// An aggregate's call as a call over a window: every aggregate inside of the bound expression gets the window.
    /// With `ignore_nulls`, rows whose value is NULL are not looked at.
    pub(crate) fn aggregate_over(
        &self,
        bound: Bound,
        over: &Over,
        ignore_nulls: bool,
    ) -> Result<Bound, QueryError> {
        let done = bound.expr.transform_down(|expr| {
            let Expr::AggregateFunction(AggregateFunction { func, params: p }) = expr else {
                return Ok(Transformed::no(expr));
            };
            let filter = match over.empty {
                true => Some(Box::new(Expr::Literal(
                    ScalarValue::Boolean(Some(false)),
                    None,
                ))),
                false => p.filter,
            };
            let window = Expr::WindowFunction(Box::new(WindowFunction {
                fun: WindowFunctionDefinition::AggregateUDF(super::sliding::sliding(func)),
                params: WindowFunctionParams {
                    null_treatment: ignore_nulls.then_some(NullTreatment::IgnoreNulls),
                    ..params(p.args, over.clone().framed(), filter, p.distinct)
                },
            }));
            Ok(Transformed::new(window, true, TreeNodeRecursion::Jump))
        })?;
        Ok(Bound {
            expr: done.data,
            ..bound
        })
    }
}

fn is_ranking(name: &str) -> bool {
    matches!(name, "row_number" | "rank" | "dense_rank")
}

fn invalid_call(name: &str, args: &[Bound]) -> QueryError {
    let types: Vec<String> = args
        .iter()
        .map(|a| super::type_name(&a.data_type))
        .collect();
    QueryError::invalid_input(format!(
        "Invalid window function: {name}({})",
        types.join(", ")
    ))
}

/// Whether a frame has its end before its start for every row.
fn is_empty(frame: &WindowFrame) -> bool {
    use WindowFrameBound::{Following, Preceding};
    let (start, end) = match (&frame.start_bound, &frame.end_bound) {
        (Preceding(start), Preceding(end)) => (end, start),
        (Following(start), Following(end)) => (start, end),
        _ => return false,
    };
    let known = !start.is_null() && !end.is_null();
    known && start.partial_cmp(end) == Some(std::cmp::Ordering::Greater)
}

fn params(
    args: Vec<Expr>,
    over: Over,
    filter: Option<Box<Expr>>,
    distinct: bool,
) -> WindowFunctionParams {
    WindowFunctionParams {
        args,
        partition_by: over.partition_by,
        order_by: over.order_by,
        window_frame: over.frame,
        filter,
        null_treatment: None,
        distinct,
    }
}
