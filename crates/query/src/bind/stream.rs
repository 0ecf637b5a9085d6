//! What RisingWave's streams refuse of a query that it answers in a batch.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, JoinType, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, Join, LogicalPlan, Operator};

use super::Binder;
use crate::error::QueryError;

fn is_now(expr: &Expr) -> bool {
    matches!(expr, Expr::Placeholder(p) if p.id == crate::execute::NOW)
}

fn has_now(expr: &Expr) -> Result<bool, QueryError> {
    Ok(expr.exists(|e| Ok(is_now(e)))?)
}

/// Whether rows are read: columns, or what is grouped of them.
fn reads_rows(expr: &Expr) -> bool {
    let of_rows = |e: &Expr| {
        matches!(
            e,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::AggregateFunction(_)
                | Expr::ScalarSubquery(_)
        )
    };
    expr.exists(|e| Ok(of_rows(e))).unwrap_or(true)
}

/// How a value changes while time goes on.
#[derive(Clone, Copy, PartialEq)]
enum Course {
    Constant,
    Rising,
    Falling,
    Unknown,
}

impl Course {
    fn reversed(self) -> Self {
        match self {
            Self::Rising => Self::Falling,
            Self::Falling => Self::Rising,
            other => other,
        }
    }

    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant, any) | (any, Self::Constant) => any,
            (a, b) if a == b => a,
            _ => Self::Unknown,
        }
    }
}

fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

fn is_zoned(expr: &Expr) -> bool {
    let found = expr.get_type(&DFSchema::empty());
    found.is_ok_and(|t| matches!(t, ArrowType::Timestamp(_, Some(_))))
}

/// Whether each step of an interval is as long as the others in a time zone: months are not, days only without summer time.
fn is_even(interval: &Expr, utc: bool) -> bool {
    match interval {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(value), _) => {
            value.is_none_or(|v| v.months == 0 && (v.days == 0 || utc))
        }
        _ => false,
    }
}

/// How an expression without columns changes while time goes on, as far as RisingWave's optimizer derives it: clocks that
/// are set back in autumn break what follows `now()`, so that only UTC is good enough for it.
fn course(expr: &Expr, utc: bool) -> Course {
    if is_now(expr) {
        return Course::Rising;
    }
    if has_now(expr).is_ok_and(|found| !found) {
        return Course::Constant;
    }
    let Expr::ScalarFunction(call) = expr else {
        return Course::Unknown;
    };
    let of = |i: usize| call.args.get(i).map_or(Course::Unknown, |e| course(e, utc));
    let in_zone = |i: usize| match call.args.get(i) {
        Some(zone) => literal_text(zone).is_some_and(|z| z.eq_ignore_ascii_case("utc")),
        None => utc,
    };
    let followed = match call.func.name() {
        "add" | "subtract" => {
            let (Some(left), Some(right)) = (call.args.first(), call.args.get(1)) else {
                return Course::Unknown;
            };
            let (moved, by) = (course(left, utc), course(right, utc));
            let interval = is_zoned(expr) && moved != Course::Constant;
            return match (interval, call.func.name()) {
                (true, _) if !is_even(right, utc) => Course::Unknown,
                (_, "subtract") => moved.plus(by.reversed()),
                _ => moved.plus(by),
            };
        }
        // A cast between the two kinds of timestamps is AT TIME ZONE of the session.
        "at_time_zone" | "cast" => {
            let times = matches!(
                expr.get_type(&DFSchema::empty()),
                Ok(ArrowType::Timestamp(..))
            );
            (times && (is_zoned(expr) || in_zone(1))).then_some(0)
        }
        "date_trunc" => {
            let even = call.args.get(1).is_some_and(|time| !is_zoned(time)) || in_zone(2);
            (even && of(0) == Course::Constant).then_some(1)
        }
        _ => None,
    };
    followed.map_or(Course::Unknown, of)
}

impl Binder<'_> {
    /// Refuses a condition of a stream that compares with `now()` in a way that no time settles.
    pub(super) fn stream_condition(&self, condition: &Expr) -> Result<(), QueryError> {
        if !self.streaming || self.settled_by_time(condition)? {
            return Ok(());
        }
        Err(QueryError::Bind(
            "Conditions containing now must be in the form of `input_expr cmp now_expr` or `now_expr cmp input_expr`, \
             where `input_expr` references a column and contains no `now()`, and `now_expr` is a non-decreasing expression \
             contains `now()`."
                .into(),
        ))
    }

    fn settled_by_time(&self, condition: &Expr) -> Result<bool, QueryError> {
        if !has_now(condition)? {
            return Ok(true);
        }
        let compared = |a: &Expr, b: &Expr| -> Result<bool, QueryError> {
            let (input, time) = if has_now(a)? { (b, a) } else { (a, b) };
            let utc = self.style.zone == chrono_tz::Tz::UTC;
            Ok(!has_now(input)?
                && reads_rows(input)
                && !reads_rows(time)
                && course(time, utc) == Course::Rising)
        };
        match condition {
            Expr::Not(inner) => self.settled_by_time(inner),
            Expr::Between(between) => {
                let bounds = [&between.low, &between.high];
                let fits = |bound: &&Box<Expr>| -> Result<bool, QueryError> {
                    let found = has_now(bound)? || has_now(&between.expr)?;
                    Ok(!found || compared(&between.expr, bound)?)
                };
                Ok(fits(&bounds[0])? && fits(&bounds[1])?)
            }
            Expr::BinaryExpr(binary) => match binary.op {
                Operator::And => {
                    Ok(self.settled_by_time(&binary.left)?
                        && self.settled_by_time(&binary.right)?)
                }
                // Each row has to leave at one time: only one of several ways in may end.
                Operator::Or => Ok(!(has_now(&binary.left)? && has_now(&binary.right)?)
                    && self.settled_by_time(&binary.left)?
                    && self.settled_by_time(&binary.right)?),
                Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                    compared(&binary.left, &binary.right)
                }
                _ => Ok(false),
            },
            _ => Ok(false),
        }
    }
}

/// Refuses joins that compare every row with every row. The plan is the optimized one, in which conditions of WHERE have
/// become those of joins.
pub(crate) fn refuse_nested_loops(plan: &LogicalPlan) -> Result<(), QueryError> {
    refuse_below(plan, &mut Vec::new())
}

fn refuse_below<'a>(
    node: &'a LogicalPlan,
    above: &mut Vec<&'a LogicalPlan>,
) -> Result<(), QueryError> {
    if let LogicalPlan::Join(join) = node {
        let outer = matches!(
            join.join_type,
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
        );
        let few = |side: &LogicalPlan| side.max_rows().is_some_and(|n| n <= 1);
        let fits = match (few(&join.left), few(&join.right)) {
            (true, true) => true,
            (true, false) => is_dynamic_filter(join, &join.left, above),
            (false, true) => is_dynamic_filter(join, &join.right, above),
            (false, false) => false,
        };
        if outer && join.on.is_empty() && !fits {
            return Err(nested_loop());
        }
    }
    above.push(node);
    for input in node.inputs() {
        refuse_below(input, above)?;
    }
    above.pop();
    Ok(())
}

/// Whether a join with at most one row on a side is RisingWave's dynamic filter: one comparison with a value that nothing
/// else reads.
fn is_dynamic_filter(join: &Join, single: &LogicalPlan, above: &[&LogicalPlan]) -> bool {
    let of_single = |expr: &Expr| {
        expr.column_refs()
            .iter()
            .any(|c| single.schema().has_column(c))
    };
    let compares = match &join.filter {
        Some(Expr::BinaryExpr(binary)) => {
            let ordered = matches!(
                binary.op,
                Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
            );
            ordered && of_single(&binary.left) != of_single(&binary.right)
        }
        _ => false,
    };
    if join.join_type != JoinType::Inner || !compares {
        return false;
    }
    for node in above.iter().rev() {
        if node.expressions().iter().any(of_single) {
            return false;
        }
        if matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
            return true;
        }
    }
    false
}

pub(super) fn nested_loop() -> QueryError {
    QueryError::Bind(
        "Not supported: streaming nested-loop join\nHINT: The non-equal join in the query requires a nested-loop join \
         executor, which could be very expensive to run. Consider rewriting the query to use dynamic filter as a \
         substitute if possible.\nSee also: https://docs.risingwave.com/processing/sql/dynamic-filters"
            .into(),
    )
}
