//! Operators and functions of jsonb and lists.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use rwt_sql::DataType;
use sqlparser::ast::BinaryOperator;

use super::{Binder, Bound, CastContext};
use crate::error::QueryError;
use crate::kernel::{array, jsonb, list};

impl Binder<'_> {
    pub(crate) fn json_access(
        &self,
        left: Bound,
        right: Bound,
        text: bool,
    ) -> Result<Bound, QueryError> {
        let left = self.json_side(
            left,
            if text {
                "jsonb_access_str"
            } else {
                "jsonb_access"
            },
            &right,
        )?;
        let by_index =
            !right.untyped && matches!(right.data_type, DataType::SmallInt | DataType::Integer);
        let to = if by_index {
            DataType::Integer
        } else {
            DataType::Varchar
        };
        let right = self.cast(right, &to, CastContext::Implicit)?;
        Ok(jsonb::access(left.expr, right.expr, text))
    }

    fn json_side(&self, value: Bound, name: &str, other: &Bound) -> Result<Bound, QueryError> {
        if value.untyped || value.data_type == DataType::Jsonb {
            return self.cast(value, &DataType::Jsonb, CastContext::Implicit);
        }
        Err(self.no_function(name, &[value, other.clone()]))
    }

    pub(crate) fn json_path(
        &self,
        left: Bound,
        right: Bound,
        text: bool,
    ) -> Result<Bound, QueryError> {
        let left = self.json_side(left, "jsonb_extract_path_variadic", &right)?;
        let path = self.cast(
            right,
            &DataType::List(Box::new(DataType::Varchar)),
            CastContext::Implicit,
        )?;
        Ok(jsonb::path(left.expr, path.expr, text))
    }

    pub(crate) fn json_delete(&self, left: Bound, right: Bound) -> Result<Bound, QueryError> {
        let to = match &right.data_type {
            DataType::Integer | DataType::SmallInt if !right.untyped => DataType::Integer,
            DataType::List(_) if !right.untyped => DataType::List(Box::new(DataType::Varchar)),
            _ => DataType::Varchar,
        };
        let right = self.cast(right, &to, CastContext::Implicit)?;
        Ok(jsonb::delete(left.expr, right.expr))
    }

    pub(crate) fn concatenate_json(&self, left: Bound, right: Bound) -> Result<Bound, QueryError> {
        let left = self.cast(left, &DataType::Jsonb, CastContext::Implicit)?;
        let right = self.cast(right, &DataType::Jsonb, CastContext::Implicit)?;
        Ok(jsonb::concatenate(left.expr, right.expr))
    }

    /// `@>` and `<@` of jsonb or lists.
    pub(crate) fn contains(
        &self,
        outer: Bound,
        inner: Bound,
        wrong: QueryError,
    ) -> Result<Bound, QueryError> {
        let nested = |of: &DataType| matches!(of, DataType::List(_) | DataType::Jsonb);
        let known = |side: &Bound| !side.untyped && nested(&side.data_type);
        if !known(&outer) && !known(&inner)
            || !(outer.untyped || nested(&outer.data_type))
            || !(inner.untyped || nested(&inner.data_type))
        {
            return Err(wrong);
        }
        if matches!(outer.data_type, DataType::List(_))
            || matches!(inner.data_type, DataType::List(_))
        {
            let (mut sides, _, _) = self.align(vec![outer, inner])?;
            let (Some(inner), Some(outer)) = (sides.pop(), sides.pop()) else {
                return Err(QueryError::Internal("@> without two sides".into()));
            };
            return Ok(Bound::boolean(list::contains_all(outer.expr, inner.expr)));
        }
        let outer = self.json_side(outer, "jsonb_contains", &inner)?;
        let inner = self.cast(inner, &DataType::Jsonb, CastContext::Implicit)?;
        Ok(Bound::boolean(jsonb::contains(outer.expr, inner.expr)))
    }

    pub(crate) fn json_exists(
        &self,
        op: &BinaryOperator,
        left: Bound,
        right: Bound,
    ) -> Result<Bound, QueryError> {
        let left = self.json_side(left, "jsonb_exists", &right)?;
        let (name, to) = match op {
            BinaryOperator::Question => ("jsonb_exists", DataType::Varchar),
            BinaryOperator::QuestionPipe => (
                "jsonb_exists_any",
                DataType::List(Box::new(DataType::Varchar)),
            ),
            _ => (
                "jsonb_exists_all",
                DataType::List(Box::new(DataType::Varchar)),
            ),
        };
        let right = self.cast(right, &to, CastContext::Implicit)?;
        Ok(Bound::boolean(jsonb::exists(name, left.expr, right.expr)))
    }

    pub(crate) fn concatenate_lists(&self, left: Bound, right: Bound) -> Result<Bound, QueryError> {
        let is_list = |b: &Bound| matches!(b.data_type, DataType::List(_)) && !b.untyped;
        let name = match (is_list(&left), is_list(&right)) {
            (true, true) => "array_cat",
            (true, false) if left.untyped || right.untyped => "array_cat",
            (false, true) if left.untyped => "array_cat",
            (true, false) => "array_append",
            _ => "array_prepend",
        };
        self.list_function(name, vec![left, right])
    }

    pub(super) fn list_function(&self, name: &str, args: Vec<Bound>) -> Result<Bound, QueryError> {
        let missing = self.no_function(name, &args);
        let list_of =
            |value: &Bound| matches!(value.data_type, DataType::List(_)) && !value.untyped;
        match (name, args.len()) {
            ("array_contains" | "array_contained", 2) => {
                let (sides, data_type, _) = self.align(args)?;
                let (DataType::List(_), [a, b]) = (&data_type, sides.as_slice()) else {
                    return Err(missing);
                };
                let (outer, inner) = match name {
                    "array_contains" => (a, b),
                    _ => (b, a),
                };
                let (outer, inner) = (outer.expr.clone(), inner.expr.clone());
                return Ok(Bound::boolean(list::contains_all(outer, inner)));
            }
            ("array_replace", 3) | ("array_position", 3) | ("array_positions", 2)
                if list_of(&args[0]) =>
            {
                let mut args = args;
                let start = match name {
                    "array_position" => args.pop(),
                    _ => None,
                };
                let probe = match &args[0].data_type {
                    DataType::List(item) => Bound::of(
                        Expr::Literal(ScalarValue::Null, None),
                        item.as_ref().clone(),
                    ),
                    _ => return Err(missing),
                };
                let items: Vec<Bound> = [probe].into_iter().chain(args[1..].to_vec()).collect();
                let item = self.common_type(&items).map_err(|_| missing)?;
                let list_type = DataType::List(Box::new(item.clone()));
                let list = self.cast(args[0].clone(), &list_type, CastContext::Implicit)?;
                let mut rest = Vec::new();
                for arg in args.drain(1..) {
                    rest.push(self.cast(arg, &item, CastContext::Implicit)?.expr);
                }
                let start = match start {
                    Some(start) => Some(
                        self.cast(start, &DataType::Integer, CastContext::Implicit)?
                            .expr,
                    ),
                    None => None,
                };
                return Ok(match (name, rest.as_slice()) {
                    ("array_replace", [from, to]) => array::replace(list, from.clone(), to.clone()),
                    (_, [item, ..]) => array::positions(list, item.clone(), start),
                    _ => return Err(QueryError::Internal(format!("{name} without an item"))),
                });
            }
            ("array_reverse" | "array_flatten", 1) if list_of(&args[0]) => {
                let list = args[0].clone();
                return match name {
                    "array_reverse" => Ok(array::reverse(list)),
                    _ => array::flatten(list).ok_or(missing),
                };
            }
            ("trim_array", 2) if list_of(&args[0]) => {
                let count =
                    self.cast(args[1].clone(), &DataType::Integer, CastContext::Implicit)?;
                return Ok(array::trim(args[0].clone(), count.expr));
            }
            ("array_ndims" | "array_dims", 1) | ("array_lower" | "array_upper", 2)
                if list_of(&args[0]) =>
            {
                let dimension = match args.get(1) {
                    Some(arg) => Some(
                        self.cast(arg.clone(), &DataType::Integer, CastContext::Implicit)?
                            .expr,
                    ),
                    None => None,
                };
                return Ok(array::dimensions(name, args[0].clone(), dimension));
            }
            (
                "array_replace" | "array_positions" | "array_reverse" | "array_flatten"
                | "trim_array" | "array_ndims" | "array_dims" | "array_lower" | "array_upper",
                _,
            )
            | ("array_position", 3) => return Err(missing),
            _ => {}
        }
        match name {
            "array_append" | "array_prepend" | "array_remove" | "array_position" => {
                let (at, item_at) = if name == "array_prepend" {
                    (1, 0)
                } else {
                    (0, 1)
                };
                let (list_arg, item_arg) = (args[at].clone(), args[item_at].clone());
                let item = match (&list_arg.data_type, list_arg.untyped) {
                    (DataType::List(item), false) => {
                        let probe = Bound::of(
                            Expr::Literal(ScalarValue::Null, None),
                            item.as_ref().clone(),
                        );
                        self.common_type(&[probe, item_arg.clone()])
                            .map_err(|_| missing)?
                    }
                    (_, true) if !item_arg.untyped => item_arg.data_type.clone(),
                    _ => return Err(missing),
                };
                let item_arg = self.cast(item_arg, &item, CastContext::Implicit)?;
                let list_type = DataType::List(Box::new(item.clone()));
                let list_arg = self.cast(list_arg, &list_type, CastContext::Implicit)?;
                Ok(list::with_item(name, list_arg, item_arg))
            }
            "array_cat" => {
                // A list beside a list of lists is one item of it; a NULL is none.
                let item_of = |list: &Bound, item: &Bound| match &list.data_type {
                    DataType::List(inner) if list_of(list) && list_of(item) => {
                        matches!(inner.as_ref(), DataType::List(_))
                            && super::cast::wider(inner, &item.data_type).is_some()
                            && super::cast::wider(&list.data_type, &item.data_type).is_none()
                    }
                    _ => false,
                };
                if let [left, right] = args.as_slice() {
                    let as_item = |item: &Bound| list::singleton(item.clone());
                    if item_of(left, right) {
                        let right = as_item(right);
                        return self.list_function(name, vec![left.clone(), right]);
                    }
                    if item_of(right, left) {
                        let left = as_item(left);
                        return self.list_function(name, vec![left, right.clone()]);
                    }
                }
                let (sides, data_type, arrow) = self.align(args)?;
                let exprs = sides.into_iter().map(|b| b.expr).collect();
                Ok(Bound::new(
                    list::concatenate(exprs, arrow.clone()),
                    data_type,
                    arrow,
                ))
            }
            "array_to_string" | "array_join" => {
                let mut args = args.into_iter();
                let Some(value) = args
                    .next()
                    .filter(|a| matches!(a.data_type, DataType::List(_)))
                else {
                    return Err(missing);
                };
                let mut texts = Vec::new();
                for arg in args {
                    texts.push(
                        self.cast(arg, &DataType::Varchar, CastContext::Implicit)?
                            .expr,
                    );
                }
                Ok(Bound::of(
                    list::to_text(value, texts, self.style),
                    DataType::Varchar,
                ))
            }
            _ => {
                let mut args = args.into_iter();
                let value = args
                    .next()
                    .filter(|a| matches!(a.data_type, DataType::List(_)))
                    .ok_or(missing)?;
                let dimension = match args.next() {
                    Some(arg) => Some(
                        self.cast(arg, &DataType::Integer, CastContext::Implicit)?
                            .expr,
                    ),
                    None => None,
                };
                list::function(name, value, dimension)
            }
        }
    }
}
