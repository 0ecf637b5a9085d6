//! Aggregate calls: argument and result types as RisingWave declares them.

use std::sync::Arc;

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate as df;
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::{AggregateUDF, Case, Expr, SortExpr};
use rwt_sql::DataType;

use super::accumulate::numeric_sum;
use super::{Binder, Bound, CastContext};
use crate::error::QueryError;
use crate::kernel::arithmetic::Operator;
use crate::kernel::{jsonb, list, numbers};
use crate::types::{arrow_type, item_field};

/// The parts of an aggregate's call besides its name and arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Modifiers {
    pub(crate) distinct: bool,
    pub(crate) filter: Option<Expr>,
    pub(crate) order: Vec<SortExpr>,
    /// The Arrow types of the sort keys.
    pub(crate) order_types: Vec<ArrowType>,
}

/// Names of aggregate functions.
pub(crate) fn is_aggregate(name: &str) -> bool {
    matches!(
        name,
        "count"
            | "sum"
            | "sum0"
            | "avg"
            | "min"
            | "max"
            | "bool_and"
            | "bool_or"
            | "bit_and"
            | "bit_or"
            | "bit_xor"
            | "string_agg"
            | "array_agg"
            | "jsonb_agg"
            | "jsonb_object_agg"
            | "first_value"
            | "last_value"
            | "arg_min"
            | "arg_max"
            | "stddev_pop"
            | "stddev_samp"
            | "var_pop"
            | "var_samp"
            | "approx_count_distinct"
            | "percentile_cont"
            | "percentile_disc"
            | "approx_percentile"
            | "mode"
            | "grouping"
    )
}

pub(super) fn call(udf: Arc<AggregateUDF>, args: Vec<Expr>, m: &Modifiers) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        udf,
        args,
        m.distinct,
        m.filter.clone().map(Box::new),
        m.order.clone(),
        None::<NullTreatment>,
    ))
}

impl Binder<'_> {
    /// Binds an aggregate of bound arguments.
    pub(crate) fn aggregate(
        &self,
        name: &str,
        args: Vec<Bound>,
        star: bool,
        m: Modifiers,
    ) -> Result<Bound, QueryError> {
        use DataType as T;
        let missing = || self.no_function(name, &args);
        let unordered = Modifiers {
            order: Vec::new(),
            ..m.clone()
        };
        if m.distinct && args.len() > 1 && args[1..].iter().any(|a| a.literal().is_none()) {
            return Err(QueryError::NotImplemented(
                "non-constant arguments other than the first one for DISTINCT aggregation is not supported now".into(),
            ));
        }
        if name == "count" {
            let expr = match args.as_slice() {
                [] if star => call(
                    df::count::count_udaf(),
                    vec![Expr::Literal(ScalarValue::Int64(Some(1)), None)],
                    &unordered,
                ),
                [arg] => {
                    let arg = self.default_type(arg.clone())?;
                    call(
                        df::count::count_udaf(),
                        vec![distinct_key(&arg, &unordered)],
                        &unordered,
                    )
                }
                _ => return Err(missing()),
            };
            return Ok(Bound::of(expr, T::BigInt));
        }
        let first = match args.first() {
            Some(first) => first.clone(),
            None => return Err(missing()),
        };
        let number = crate::types::is_number(&first.data_type) && !first.untyped;
        match (name, args.len()) {
            ("sum", 1) if number => Ok(self.sum(first, &unordered)),
            ("sum0", 1) if matches!(first.data_type, T::BigInt) => {
                let sum = call(df::sum::sum_udaf(), vec![first.expr], &unordered);
                let zero = Bound::of(Expr::Literal(ScalarValue::Int64(Some(0)), None), T::BigInt);
                self.coalesce(vec![Bound::of(sum, T::BigInt), zero])
            }
            ("avg", 1) if number => self.average(first, &unordered),
            ("min" | "max", 1) => {
                let first = self.default_type(first)?;
                if matches!(first.data_type, T::Boolean | T::Jsonb | T::Map(..)) {
                    return Err(missing());
                }
                if matches!(first.data_type, T::Struct(_) | T::List(_)) {
                    let values = call(
                        df::array_agg::array_agg_udaf(),
                        vec![first.expr],
                        &unordered,
                    );
                    let expr = list::extreme_of(name == "max", values, &first.arrow);
                    return Ok(Bound::new(expr, first.data_type, first.arrow));
                }
                let udf = if name == "min" {
                    df::min_max::min_udaf()
                } else {
                    df::min_max::max_udaf()
                };
                Ok(Bound::new(
                    call(udf, vec![first.expr], &unordered),
                    first.data_type,
                    first.arrow,
                ))
            }
            ("bool_and" | "bool_or", 1) if first.data_type == T::Boolean || first.untyped => {
                let arg = self.cast(first, &T::Boolean, CastContext::Implicit)?;
                let udf = match name {
                    "bool_and" => df::bool_and_or::bool_and_udaf(),
                    _ => df::bool_and_or::bool_or_udaf(),
                };
                Ok(Bound::boolean(call(udf, vec![arg.expr], &unordered)))
            }
            ("bit_and" | "bit_or" | "bit_xor", 1)
                if matches!(first.data_type, T::SmallInt | T::Integer | T::BigInt) =>
            {
                let udf = match name {
                    "bit_and" => df::bit_and_or_xor::bit_and_udaf(),
                    "bit_or" => df::bit_and_or_xor::bit_or_udaf(),
                    _ => df::bit_and_or_xor::bit_xor_udaf(),
                };
                Ok(Bound::new(
                    call(udf, vec![first.expr], &unordered),
                    first.data_type,
                    first.arrow,
                ))
            }
            ("string_agg", 2) => {
                let mut texts = Vec::new();
                for arg in args.clone() {
                    texts.push(
                        self.cast(arg, &T::Varchar, CastContext::Implicit)
                            .map_err(|_| missing())?,
                    );
                }
                let separator = texts.pop().ok_or_else(missing)?;
                let value = texts.pop().ok_or_else(missing)?;
                let expr = match separator.literal_text() {
                    Some(separator) if !m.order.is_empty() => {
                        list::joined(self.ordered_list(value, &m).expr, separator.to_owned())
                    }
                    Some(_) => call(
                        df::string_agg::string_agg_udaf(),
                        vec![value.expr, separator.expr],
                        &m,
                    ),
                    // A separator of each row stands before its text.
                    None => {
                        let row = list::row(vec![
                            ("text".to_owned(), value),
                            ("separator".to_owned(), separator),
                        ]);
                        list::joined_rows(self.ordered_list(row, &m).expr)
                    }
                };
                Ok(Bound::of(expr, T::Varchar))
            }
            ("array_agg", 1) => {
                let first = self.default_type(first)?;
                Ok(self.ordered_list(first, &m))
            }
            ("jsonb_agg", 1) => {
                let first = self.default_type(first)?;
                Ok(jsonb::array_of(self.ordered_list(first, &m), self.style))
            }
            ("jsonb_object_agg", 2) => {
                let key = self
                    .cast(first, &T::Varchar, CastContext::Implicit)
                    .map_err(|_| missing())?;
                let value = self.default_type(args[1].clone())?;
                let of = value.typed();
                let row = list::raw_row(vec![
                    ("key".into(), key.arrow, key.expr),
                    ("value".into(), value.arrow, value.expr),
                ]);
                let rows = call(df::array_agg::array_agg_udaf(), vec![row], &unordered);
                Ok(jsonb::object_of_rows(rows, of, self.style))
            }
            ("sum" | "avg", 1) if first.data_type == T::Interval && !first.untyped => {
                let values = call(
                    df::array_agg::array_agg_udaf(),
                    vec![first.expr],
                    &unordered,
                );
                Ok(Bound::of(
                    numbers::of_intervals(name == "avg", values),
                    T::Interval,
                ))
            }
            ("first_value" | "last_value", 1) => {
                let first = self.default_type(first)?;
                let udf = match name {
                    "first_value" => df::first_last::first_value_udaf(),
                    _ => df::first_last::last_value_udaf(),
                };
                Ok(Bound::new(
                    call(udf, vec![first.expr], &m),
                    first.data_type,
                    first.arrow,
                ))
            }
            ("arg_min" | "arg_max", 2) => {
                let first = self.default_type(first)?;
                if let by @ (T::List(_) | T::Struct(_) | T::Map(..) | T::Jsonb) = &args[1].data_type
                {
                    return Err(QueryError::NotImplemented(format!(
                        "{name} does not support comparing values of type {by}"
                    )));
                }
                let by = args[1].key();
                let mut order = vec![SortExpr {
                    expr: by.clone(),
                    asc: name == "arg_min",
                    nulls_first: false,
                }];
                order.extend(m.order);
                // A row where one of both is NULL is no candidate.
                let known = Expr::IsNotNull(Box::new(by))
                    .and(Expr::IsNotNull(Box::new(first.expr.clone())));
                let filter = match m.filter {
                    Some(filter) => filter.and(known),
                    None => known,
                };
                let m = Modifiers {
                    distinct: false,
                    filter: Some(filter),
                    order,
                    order_types: Vec::new(),
                };
                let expr = call(df::first_last::first_value_udaf(), vec![first.expr], &m);
                Ok(Bound::new(expr, first.data_type, first.arrow))
            }
            ("stddev_pop" | "stddev_samp" | "var_pop" | "var_samp", 1) if number => {
                self.deviation(name, first, &unordered)
            }
            ("approx_count_distinct", 1) => {
                let first = self.default_type(first)?;
                let m = Modifiers {
                    distinct: true,
                    ..unordered
                };
                Ok(Bound::of(
                    call(df::count::count_udaf(), vec![first.key()], &m),
                    T::BigInt,
                ))
            }
            ("grouping", _) => {
                let udf = df::grouping::grouping_udaf();
                let exprs = args.into_iter().map(|a| a.expr).collect();
                Ok(Bound::of(
                    call(udf, exprs, &Modifiers::default()),
                    T::Integer,
                ))
            }
            _ => Err(missing()),
        }
    }

    /// The values of a group as a list. With ORDER BY they are collected with their sort keys and sorted at the end,
    /// because DataFusion wants one order for all aggregates of a query.
    fn ordered_list(&self, value: Bound, m: &Modifiers) -> Bound {
        let arrow = ArrowType::List(item_field(value.arrow.clone()));
        let data_type = DataType::List(Box::new(value.data_type.clone()));
        if m.order.is_empty() {
            let expr = call(
                df::array_agg::array_agg_udaf(),
                vec![distinct_key(&value, m)],
                m,
            );
            return Bound::new(expr, data_type, arrow);
        }
        let mut fields = vec![("value".to_owned(), value.arrow, value.expr)];
        for (i, key) in m.order.iter().enumerate() {
            let arrow = m.order_types.get(i).cloned().unwrap_or(ArrowType::Utf8);
            fields.push((format!("key{i}"), arrow, key.expr.clone()));
        }
        let rows = list::raw_row(fields);
        let unordered = Modifiers {
            distinct: false,
            filter: m.filter.clone(),
            ..Modifiers::default()
        };
        let collected = call(df::array_agg::array_agg_udaf(), vec![rows], &unordered);
        let flags = m
            .order
            .iter()
            .map(|key| (key.asc, key.nulls_first))
            .collect();
        let expr = list::sorted(collected, flags, m.distinct, arrow.clone());
        Bound::new(expr, data_type, arrow)
    }

    fn sum(&self, value: Bound, m: &Modifiers) -> Bound {
        let (value, data_type) = match value.data_type {
            DataType::SmallInt | DataType::Integer => (
                self.force(value, &DataType::BigInt, ArrowType::Int64),
                DataType::BigInt,
            ),
            DataType::BigInt => return self.wide_sum(value, m),
            DataType::Numeric => {
                let sum = call(numeric_sum(), vec![distinct_key(&value, m)], m);
                return Bound::of(sum, DataType::Numeric);
            }
            ref other => {
                let data_type = other.clone();
                (value, data_type)
            }
        };
        let arrow = value.arrow.clone();
        if data_type == DataType::Real {
            let wide = self.force(value, &DataType::Double, ArrowType::Float64);
            let sum = Bound::of(
                call(df::sum::sum_udaf(), vec![wide.expr], m),
                DataType::Double,
            );
            return self.force(sum, &DataType::Real, ArrowType::Float32);
        }
        Bound::new(
            call(df::sum::sum_udaf(), vec![value.expr], m),
            data_type,
            arrow,
        )
    }

    /// The sum of bigints, which is a numeric. Summed as integers of 128 bits, which is much faster than as numerics.
    fn wide_sum(&self, value: Bound, m: &Modifiers) -> Bound {
        let wide = Expr::Cast(datafusion::logical_expr::Cast::new(
            Box::new(value.expr),
            ArrowType::Decimal128(38, 0),
        ));
        let sum = call(df::sum::sum_udaf(), vec![wide], m);
        let sum = Bound::new(sum, DataType::Numeric, ArrowType::Decimal128(38, 0));
        self.force(sum, &DataType::Numeric, arrow_type(&DataType::Numeric))
    }

    fn count(&self, value: &Bound, m: &Modifiers) -> Bound {
        Bound::of(
            call(df::count::count_udaf(), vec![distinct_key(value, m)], m),
            DataType::BigInt,
        )
    }

    fn average(&self, value: Bound, m: &Modifiers) -> Result<Bound, QueryError> {
        if matches!(value.data_type, DataType::Real | DataType::Double) {
            let value = self.force(value, &DataType::Double, ArrowType::Float64);
            return Ok(Bound::of(
                call(df::average::avg_udaf(), vec![value.expr], m),
                DataType::Double,
            ));
        }
        let count = self.count(&value, m);
        let sum = self.sum(value, m);
        let sum = self.cast(sum, &DataType::Numeric, CastContext::Implicit)?;
        self.divide_by_count(sum, count)
    }

    /// NULL where nothing was counted.
    fn divide_by_count(&self, sum: Bound, count: Bound) -> Result<Bound, QueryError> {
        let zero = Bound::of(
            Expr::Literal(ScalarValue::Int64(Some(0)), None),
            DataType::BigInt,
        );
        let some = count.expr.clone().gt(zero.expr);
        let quotient = self.numeric_operator(Operator::Divide, sum, count)?;
        let expr = Expr::Case(Case::new(
            None,
            vec![(Box::new(some), Box::new(quotient.expr.clone()))],
            None,
        ));
        Ok(Bound { expr, ..quotient })
    }

    /// Variances from sums of squares, as RisingWave computes them.
    fn deviation(&self, name: &str, value: Bound, m: &Modifiers) -> Result<Bound, QueryError> {
        if matches!(value.data_type, DataType::Real | DataType::Double) {
            let value = self.force(value, &DataType::Double, ArrowType::Float64);
            let udf = match name {
                "stddev_pop" => df::stddev::stddev_pop_udaf(),
                "stddev_samp" => df::stddev::stddev_udaf(),
                "var_pop" => df::variance::var_pop_udaf(),
                _ => df::variance::var_samp_udaf(),
            };
            return Ok(Bound::of(call(udf, vec![value.expr], m), DataType::Double));
        }
        let value = self.cast(value, &DataType::Numeric, CastContext::Implicit)?;
        let squared = self.numeric_operator(Operator::Multiply, value.clone(), value.clone())?;
        let count = self.count(&value, m);
        let squares = self.sum(squared, m);
        let sum = self.sum(value, m);
        let expr = numbers::deviation(name, sum.expr, squares.expr, count.expr);
        Ok(Bound::of(expr, DataType::Numeric))
    }

    /// A constant between 0 and 1, or NULL.
    fn direct_argument(&self, name: &str, value: &Bound) -> Result<Option<f64>, QueryError> {
        let wrong =
            |why: &str| QueryError::invalid_input(format!("direct arg in `{name}` must {why}"));
        let value = self
            .cast(value.clone(), &DataType::Double, CastContext::Implicit)
            .map_err(|_| wrong("be castable to float64"))?;
        match crate::execute::constant(&value.expr) {
            Ok(ScalarValue::Float64(Some(value))) if !(0.0..=1.0).contains(&value) => {
                Err(wrong("between 0.0 and 1.0"))
            }
            Ok(ScalarValue::Float64(value)) => Ok(value),
            _ => Err(QueryError::NotImplemented(
                "variable as direct argument of ordered-set aggregate".into(),
            )),
        }
    }

    /// `percentile_cont(0.5) WITHIN GROUP (ORDER BY x)` and its kind: over the sorted list of the values.
    pub(crate) fn within_group(
        &self,
        name: &str,
        args: Vec<Bound>,
        by: Bound,
        m: Modifiers,
    ) -> Result<Bound, QueryError> {
        let by = self.default_type(by)?;
        let known = Expr::IsNotNull(Box::new(by.expr.clone()));
        let m = Modifiers {
            filter: Some(match m.filter.clone() {
                Some(filter) => filter.and(known),
                None => known,
            }),
            ..m
        };
        let (by, data_type) = match name {
            "percentile_cont" | "approx_percentile" if crate::types::is_number(&by.data_type) => (
                self.force(by, &DataType::Double, ArrowType::Float64),
                DataType::Double,
            ),
            "percentile_disc" | "mode" => {
                let data_type = by.data_type.clone();
                (by, data_type)
            }
            _ => return Err(self.no_function(name, &[by])),
        };
        if name == "approx_percentile" {
            let [fraction, error] = args.as_slice() else {
                return Err(QueryError::invalid_input(
                    "invalid direct args or within group argument for `approx_percentile` aggregation",
                ));
            };
            let fraction = self.direct_argument(name, fraction)?.unwrap_or_default();
            let error = self.direct_argument(name, error)?.unwrap_or_default();
            let list = call(df::array_agg::array_agg_udaf(), vec![by.expr], &m);
            return Ok(Bound::of(
                numbers::approximate(list, fraction, error),
                DataType::Double,
            ));
        }
        let fraction = match (name, args.as_slice()) {
            ("mode", []) => 0.0,
            ("percentile_cont" | "percentile_disc", [fraction]) => {
                match self.direct_argument(name, fraction)? {
                    Some(fraction) => fraction,
                    None => {
                        let null = Expr::Literal(ScalarValue::try_from(&by.arrow)?, None);
                        return Ok(Bound::new(null, data_type, by.arrow));
                    }
                }
            }
            _ => {
                return Err(QueryError::invalid_input(format!(
                    "invalid direct args or within group argument for `{name}` aggregation"
                )));
            }
        };
        let fraction = Expr::Literal(ScalarValue::Float64(Some(fraction)), None);
        let list = call(df::array_agg::array_agg_udaf(), vec![by.expr.clone()], &m);
        let expr = numbers::ordered_set(name, list, fraction, by.arrow.clone());
        Ok(Bound::new(expr, data_type, by.arrow))
    }
}

/// The argument of an aggregate; with DISTINCT equal values must look alike.
fn distinct_key(value: &Bound, m: &Modifiers) -> Expr {
    if m.distinct {
        value.key()
    } else {
        value.expr.clone()
    }
}
