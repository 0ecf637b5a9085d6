//! What RisingWave's streams refuse of a query that it answers in a batch.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, JoinType};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, ExprSchemable, Join, LogicalPlan, Operator};
use rwt_sql::DataType;
use sqlparser::ast::{Expr as Ast, Select, Visit, Visitor};

use super::{Binder, Bound};
use crate::error::QueryError;
use crate::names;
use crate::scan::RelationTable;

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

fn is_zoned(expr: &Expr) -> bool {
    let found = expr.get_type(&DFSchema::empty());
    found.is_ok_and(|t| matches!(t, ArrowType::Timestamp(_, Some(_))))
}

fn is_utc(zone: &Expr) -> bool {
    match zone {
        Expr::Literal(value, _) => value
            .try_as_str()
            .flatten()
            .is_some_and(|zone| zone.eq_ignore_ascii_case("utc")),
        _ => false,
    }
}

/// How an expression without columns changes while time goes on, as far as RisingWave's optimizer derives it: nothing of
/// casts, and of a zone that is named only in UTC, as clocks are set back elsewhere. The session's zone comes later there.
fn course(expr: &Expr) -> Course {
    if is_now(expr) {
        return Course::Rising;
    }
    if has_now(expr).is_ok_and(|found| !found) {
        return Course::Constant;
    }
    let Expr::ScalarFunction(call) = expr else {
        return Course::Unknown;
    };
    match (call.func.name(), call.args.as_slice()) {
        ("add", [left, right]) => course(left).plus(course(right)),
        ("subtract", [left, right]) => course(left).plus(course(right).reversed()),
        ("at_time_zone", [time, zone]) if is_zoned(expr) || is_utc(zone) => course(time),
        ("date_trunc", [_, time]) => course(time),
        ("date_trunc", [_, time, zone]) if is_utc(zone) => course(time),
        _ => Course::Unknown,
    }
}

/// A column of the plan as RisingWave's optimizer shows it.
fn field_name(expr: &Expr) -> String {
    let plain = |name: &str| name.split('#').next().unwrap_or(name).to_owned();
    match expr {
        Expr::Column(column) => match &column.relation {
            Some(table) => format!("{}.{}", plain(table.table()), plain(&column.name)),
            None => plain(&column.name),
        },
        _ => "$expr1".to_owned(),
    }
}

impl Binder<'_> {
    /// Refuses to keep state of a stream by jsonb, unless the session lets it be.
    pub(super) fn state_key(&self, bound: &Bound, what: &str) -> Result<(), QueryError> {
        const SETTING: &str = "streaming_allow_jsonb_in_stream_key";
        let refused = self.streaming
            && bound.data_type == DataType::Jsonb
            && self
                .settings
                .variables
                .get(SETTING)
                .is_some_and(|v| v == "false");
        if !refused {
            return Ok(());
        }
        Err(QueryError::Bind(format!(
            "Not supported: JSONB column \"{what}\" should not be in the {}.\nHINT: Using JSONB columns as part of the join or \
             aggregation keys can severely impair performance. If you intend to proceed, force to enable it with: `set \
             rw_streaming_allow_jsonb_in_stream_key to true`",
            field_name(&bound.expr)
        )))
    }

    /// Refuses a condition of a stream that compares with `now()` in a way that no time settles.
    pub(super) fn stream_condition(&self, condition: &Expr) -> Result<(), QueryError> {
        if !self.streaming || settled_by_time(condition, false)? {
            return Ok(());
        }
        Err(QueryError::Bind(
            "Conditions containing now must be in the form of `input_expr cmp now_expr` or `now_expr cmp input_expr`, \
             where `input_expr` references a column and contains no `now()`, and `now_expr` is a non-decreasing expression \
             contains `now()`."
                .into(),
        ))
    }
}

/// Whether each comparison with `now()` is one of a column with what grows with time, in a condition or its opposite.
fn settled_by_time(condition: &Expr, negated: bool) -> Result<bool, QueryError> {
    if !has_now(condition)? {
        return Ok(true);
    }
    let compared = |a: &Expr, b: &Expr| -> Result<bool, QueryError> {
        let (input, time) = if has_now(a)? { (b, a) } else { (a, b) };
        Ok(!has_now(input)?
            && reads_rows(input)
            && !reads_rows(time)
            && course(time) == Course::Rising)
    };
    let binary = match condition {
        Expr::Not(inner) => return settled_by_time(inner, !negated),
        Expr::BinaryExpr(binary) => binary,
        _ => return Ok(false),
    };
    let (left, right) = (&binary.left, &binary.right);
    match binary.op {
        Operator::And | Operator::Or => {
            // Each row has to leave at one time: only one of several ways in may end.
            let either = (binary.op == Operator::Or) != negated;
            Ok(!(either && has_now(left)? && has_now(right)?)
                && settled_by_time(left, negated)?
                && settled_by_time(right, negated)?)
        }
        Operator::Eq if !negated => compared(left, right),
        Operator::NotEq if negated => compared(left, right),
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => compared(left, right),
        _ => Ok(false),
    }
}

/// Refuses `approx_count_distinct` of rows that may go again: its registers cannot forget.
pub(super) fn refuse_approximations(
    select: &Select,
    input: &LogicalPlan,
) -> Result<(), QueryError> {
    struct Approximates;
    impl Visitor for Approximates {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Ast) -> ControlFlow<()> {
            match expr {
                Ast::Function(f) if names::key(&f.name).1 == "approx_count_distinct" => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let found = select.projection.visit(&mut Approximates).is_break()
        || select.having.visit(&mut Approximates).is_break();
    if !found || only_gains_rows(input)? {
        return Ok(());
    }
    Err(QueryError::NotImplemented(
        "append-only approx_count_distinct on a stream with updates".into(),
    ))
}

fn only_gains_rows(plan: &LogicalPlan) -> Result<bool, QueryError> {
    let passes = match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            let table = provider.as_any().downcast_ref::<RelationTable>();
            table.is_none_or(RelationTable::append_only)
        }
        // What now() lets in may go out again.
        LogicalPlan::Filter(filter) => !has_now(&filter.predicate)?,
        LogicalPlan::Join(join) => join.join_type == JoinType::Inner,
        LogicalPlan::Projection(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::EmptyRelation(_) => true,
        _ => false,
    };
    for input in plan.inputs() {
        if !passes {
            break;
        }
        if !only_gains_rows(input)? {
            return Ok(false);
        }
    }
    Ok(passes)
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
/// else reads. An outer join is one if the comparison, which stands above it then, is never true of NULL.
fn is_dynamic_filter(join: &Join, single: &LogicalPlan, above: &[&LogicalPlan]) -> bool {
    let of_single = |expr: &Expr| {
        expr.column_refs()
            .iter()
            .any(|c| single.schema().has_column(c))
    };
    let compares = |expr: &Expr| match expr {
        Expr::BinaryExpr(binary) => {
            let ordered = matches!(
                binary.op,
                Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
            );
            ordered && of_single(&binary.left) != of_single(&binary.right)
        }
        _ => false,
    };
    // Of an outer join equality will do as well: it is one by key then.
    let settles = |expr: &Expr| match expr {
        Expr::BinaryExpr(binary) => {
            let (value, other) = match of_single(&binary.left) {
                true => (&binary.left, &binary.right),
                false => (&binary.right, &binary.left),
            };
            let by_key = binary.op == Operator::Eq && !of_single(other);
            (compares(expr) || by_key) && is_strict(value)
        }
        _ => false,
    };
    let filter = match (join.join_type, &join.filter) {
        (JoinType::Inner, Some(filter)) if compares(filter) => None,
        (JoinType::Left, None) if std::ptr::eq(single, join.right.as_ref()) => {
            let Some(LogicalPlan::Filter(filter)) = above
                .iter()
                .rev()
                .find(|node| !matches!(node, LogicalPlan::Join(_)))
            else {
                return false;
            };
            let parts = split_conjunction(&filter.predicate);
            let of_this: Vec<_> = parts.into_iter().filter(|p| of_single(p)).collect();
            if !matches!(of_this.as_slice(), [one] if settles(one)) {
                return false;
            }
            Some(&filter.predicate)
        }
        _ => return false,
    };
    for node in above.iter().rev() {
        let is_filter = matches!(node, LogicalPlan::Filter(f) if Some(&f.predicate) == filter);
        if !is_filter && node.expressions().iter().any(of_single) {
            return false;
        }
        if matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
            return true;
        }
    }
    false
}

/// Whether an expression is NULL as soon as one of its columns is.
fn is_strict(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::BinaryExpr(binary) => is_strict(&binary.left) && is_strict(&binary.right),
        Expr::Cast(cast) => is_strict(&cast.expr),
        Expr::ScalarFunction(call) => {
            matches!(
                call.func.name(),
                "key" | "cast" | "add" | "subtract" | "multiply" | "divide" | "modulus"
            ) && call.args.iter().all(is_strict)
        }
        _ => false,
    }
}

pub(super) fn nested_loop() -> QueryError {
    QueryError::Bind(
        "Not supported: streaming nested-loop join\nHINT: The non-equal join in the query requires a nested-loop join \
         executor, which could be very expensive to run. Consider rewriting the query to use dynamic filter as a \
         substitute if possible.\nSee also: https://docs.risingwave.com/processing/sql/dynamic-filters"
            .into(),
    )
}
