//! What a path gives.

use std::cmp::Ordering;

use serde_json::{Number, Value as Json};

use super::{Accessor, Arithmetic, Compare, Method, Node, Path, Sign, Test};
use crate::error::QueryError;
use crate::json;

/// Where an expression of a path stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    strict: bool,
    root: &'a Json,
    vars: Option<&'a Json>,
    /// `@`
    current: &'a Json,
    /// The length of the array that a subscript is about.
    length: Option<usize>,
}

fn failed(why: impl Into<String>) -> QueryError {
    QueryError::Evaluation(why.into())
}

pub(super) fn query(
    path: &Path,
    target: &Json,
    vars: Option<&Json>,
) -> Result<Vec<Json>, QueryError> {
    if vars.is_some_and(|vars| !vars.is_object()) {
        return Err(failed("\"vars\" argument is not an object"));
    }
    let place = Place {
        strict: path.strict,
        root: target,
        vars,
        current: target,
        length: None,
    };
    place.node(&path.root)
}

impl Place<'_> {
    fn node(&self, node: &Node) -> Result<Vec<Json>, QueryError> {
        Ok(match node {
            Node::Root => vec![self.root.clone()],
            Node::Current => vec![self.current.clone()],
            Node::Last => {
                let length = self
                    .length
                    .ok_or_else(|| failed("LAST is allowed only in array subscripts"))?;
                vec![Json::from(i64::try_from(length).unwrap_or(i64::MAX) - 1)]
            }
            Node::Variable(name) => {
                let value = self.vars.and_then(|vars| vars.get(name));
                let value = value.ok_or_else(|| {
                    failed(format!("could not find jsonpath variable \"{name}\""))
                })?;
                vec![value.clone()]
            }
            Node::Literal(value) => vec![value.clone()],
            Node::Access(of, accessor) => {
                let mut out = Vec::new();
                for value in self.node(of)? {
                    self.access(&value, accessor, &mut out)?;
                }
                out
            }
            Node::Sign(sign, of) => {
                let mut out = Vec::new();
                for value in self.unwrapped(of)? {
                    let Json::Number(number) = &value else {
                        let sign = if *sign == Sign::Minus { '-' } else { '+' };
                        return Err(failed(format!(
                            "operand of unary jsonpath operator {sign} is not a numeric value"
                        )));
                    };
                    out.push(match sign {
                        Sign::Plus => value,
                        Sign::Minus => arithmetic(Arithmetic::Subtract, &Number::from(0), number)?,
                    });
                }
                out
            }
            Node::Arithmetic(op, left, right) => {
                let operand = |node: &Node, side: &str| -> Result<Number, QueryError> {
                    match self.unwrapped(node)?.as_slice() {
                        [Json::Number(number)] => Ok(number.clone()),
                        _ => Err(failed(format!(
                            "{side} operand of jsonpath operator {} is not a single numeric value",
                            op.sign()
                        ))),
                    }
                };
                let (left, right) = (operand(left, "left")?, operand(right, "right")?);
                vec![arithmetic(*op, &left, &right)?]
            }
            Node::Test(test) => vec![self.test(test)?.map_or(Json::Null, Json::Bool)],
        })
    }

    /// The values of an expression; an array's items in its place, if the path is lax.
    fn unwrapped(&self, node: &Node) -> Result<Vec<Json>, QueryError> {
        let values = self.node(node)?;
        if self.strict {
            return Ok(values);
        }
        Ok(values
            .into_iter()
            .flat_map(|value| match value {
                Json::Array(items) => items,
                other => vec![other],
            })
            .collect())
    }

    fn access(
        &self,
        value: &Json,
        accessor: &Accessor,
        out: &mut Vec<Json>,
    ) -> Result<(), QueryError> {
        // In a lax path what is said of an object is said of every item of an array.
        let of_items = match accessor {
            Accessor::AnyItem | Accessor::Items(_) => false,
            Accessor::Method(method) => !matches!(method, Method::Type | Method::Size),
            _ => true,
        };
        if let (Json::Array(items), true, false) = (value, of_items, self.strict) {
            return items
                .iter()
                .try_for_each(|item| self.access_one(item, accessor, out));
        }
        self.access_one(value, accessor, out)
    }

    fn access_one(
        &self,
        value: &Json,
        accessor: &Accessor,
        out: &mut Vec<Json>,
    ) -> Result<(), QueryError> {
        let missing = |why: &str| match self.strict {
            true => Err(failed(why)),
            false => Ok(()),
        };
        match (accessor, value) {
            (Accessor::Member(name), Json::Object(fields)) => match fields.get(name) {
                Some(field) => out.push(field.clone()),
                None => {
                    return missing(&format!("JSON object does not contain key \"{name}\""));
                }
            },
            (Accessor::Member(_), _) => {
                return missing("jsonpath member accessor can only be applied to an object");
            }
            (Accessor::AnyMember, Json::Object(fields)) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(key, _)| key.as_str());
                out.extend(fields.into_iter().map(|(_, field)| field.clone()));
            }
            (Accessor::AnyMember, _) => {
                return missing(
                    "jsonpath wildcard member accessor can only be applied to an object",
                );
            }
            (Accessor::AnyItem, Json::Array(items)) => out.extend(items.iter().cloned()),
            (Accessor::AnyItem, _) if self.strict => {
                return missing("jsonpath wildcard array accessor can only be applied to an array");
            }
            (Accessor::AnyItem, other) => out.push(other.clone()),
            (Accessor::Items(wanted), Json::Array(items)) => self.items(items, wanted, out)?,
            (Accessor::Items(_), _) if self.strict => {
                return missing("jsonpath array accessor can only be applied to an array");
            }
            (Accessor::Items(wanted), other) => {
                self.items(std::slice::from_ref(other), wanted, out)?;
            }
            (Accessor::Filter(test), value) => {
                let place = Place {
                    current: value,
                    ..*self
                };
                if place.test(test)? == Some(true) {
                    out.push(value.clone());
                }
            }
            (Accessor::Method(method), value) => self.method(*method, value, out)?,
        }
        Ok(())
    }

    fn items(
        &self,
        items: &[Json],
        wanted: &[(Node, Option<Node>)],
        out: &mut Vec<Json>,
    ) -> Result<(), QueryError> {
        let place = Place {
            length: Some(items.len()),
            ..*self
        };
        let outside = |at: i64| usize::try_from(at).map_or(true, |at| at >= items.len());
        for (from, to) in wanted {
            let from = place.index(from)?;
            let to = match to {
                Some(to) => place.index(to)?,
                None => from,
            };
            if self.strict && (outside(from) || outside(to) || from > to) {
                return Err(failed("jsonpath array subscript is out of bounds"));
            }
            let last = i64::try_from(items.len()).unwrap_or(i64::MAX) - 1;
            for at in from.max(0)..=to.min(last) {
                out.extend(
                    usize::try_from(at)
                        .ok()
                        .and_then(|at| items.get(at))
                        .cloned(),
                );
            }
        }
        Ok(())
    }

    fn index(&self, node: &Node) -> Result<i64, QueryError> {
        match self.node(node)?.as_slice() {
            [Json::Number(number)] => {
                let whole = number.as_i64().or_else(|| {
                    let number = number.as_f64()?.trunc();
                    (number.abs() < 2_147_483_648.0).then_some(number as i64)
                });
                whole
                    .filter(|at| i32::try_from(*at).is_ok())
                    .ok_or_else(|| failed("jsonpath array subscript is out of integer range"))
            }
            _ => Err(failed(
                "jsonpath array subscript is not a single numeric value",
            )),
        }
    }

    fn method(&self, method: Method, value: &Json, out: &mut Vec<Json>) -> Result<(), QueryError> {
        let name = method.name();
        let number = || {
            value.as_number().ok_or_else(|| {
                failed(format!(
                    "jsonpath item method .{name}() can only be applied to a numeric value"
                ))
            })
        };
        let rounded = |round: fn(f64) -> f64| -> Result<Json, QueryError> {
            let number = number()?;
            Ok(match number.as_f64() {
                Some(float) if number.is_f64() => whole(round(float)),
                _ => Json::Number(number.clone()),
            })
        };
        out.push(match method {
            Method::Type => Json::from(json::type_name(value)),
            Method::Size => match value {
                Json::Array(items) => Json::from(items.len()),
                _ if self.strict => {
                    return Err(failed(
                        "jsonpath item method .size() can only be applied to an array",
                    ));
                }
                _ => Json::from(1),
            },
            Method::Double => match value {
                Json::Number(_) => value.clone(),
                Json::String(text) => text
                    .trim()
                    .parse::<f64>()
                    .ok()
                    .and_then(Number::from_f64)
                    .map(Json::Number)
                    .ok_or_else(|| {
                        failed(
                            "jsonpath item method .double() can only be applied to a numeric value",
                        )
                    })?,
                _ => {
                    return Err(failed(
                        "jsonpath item method .double() can only be applied to a string or numeric value",
                    ));
                }
            },
            Method::Ceiling => rounded(f64::ceil)?,
            Method::Floor => rounded(f64::floor)?,
            Method::Abs => {
                let number = number()?;
                match (number.as_i64().and_then(i64::checked_abs), number.as_f64()) {
                    (Some(int), _) => Json::from(int),
                    (None, Some(float)) if number.is_f64() => Json::from(float.abs()),
                    _ => Json::Number(number.clone()),
                }
            }
            Method::KeyValue => {
                let Json::Object(fields) = value else {
                    return Err(failed(
                        "jsonpath item method .keyvalue() can only be applied to an object",
                    ));
                };
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(key, _)| key.as_str());
                out.extend(
                    fields
                        .into_iter()
                        .map(|(key, field)| serde_json::json!({"key": key, "value": field, "id": 0})),
                );
                return Ok(());
            }
        });
        Ok(())
    }

    /// Whether a test holds; `None` if that is unknown.
    fn test(&self, test: &Test) -> Result<Option<bool>, QueryError> {
        Ok(match test {
            Test::And(left, right) => match (self.test(left)?, self.test(right)?) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Test::Or(left, right) => match (self.test(left)?, self.test(right)?) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Test::Not(inner) => self.test(inner)?.map(|holds| !holds),
            Test::IsUnknown(inner) => Some(self.test(inner)?.is_none()),
            Test::Exists(node) => self.tried(node)?.map(|found| !found.is_empty()),
            Test::Compare(compare, left, right) => {
                self.pairs(left, right, |l, r| holds(*compare, l, r))?
            }
            Test::StartsWith(text, prefix) => self.pairs(text, prefix, |text, prefix| {
                Some(text.as_str()?.starts_with(prefix.as_str()?))
            })?,
            Test::Like(text, regex) => {
                let any = Node::Literal(Json::Null);
                self.pairs(text, &any, |text, _| Some(regex.is_match(text.as_str()?)))?
            }
        })
    }

    /// The values of an expression in a test, where an error is unknown; a missing variable stays an error.
    fn tried(&self, node: &Node) -> Result<Option<Vec<Json>>, QueryError> {
        match self.unwrapped(node) {
            Ok(values) => Ok(Some(values)),
            Err(error)
                if error
                    .to_string()
                    .starts_with("could not find jsonpath variable") =>
            {
                Err(error)
            }
            Err(_) => Ok(None),
        }
    }

    /// Whether any pair of values passes. A strict path looks at all pairs, and one that is unknown decides.
    fn pairs(
        &self,
        left: &Node,
        right: &Node,
        passes: impl Fn(&Json, &Json) -> Option<bool>,
    ) -> Result<Option<bool>, QueryError> {
        let (Some(left), Some(right)) = (self.tried(left)?, self.tried(right)?) else {
            return Ok(None);
        };
        let (mut found, mut unknown) = (false, false);
        for l in &left {
            for r in &right {
                match passes(l, r) {
                    Some(true) if !self.strict => return Ok(Some(true)),
                    Some(passed) => found |= passed,
                    None if self.strict => return Ok(None),
                    None => unknown = true,
                }
            }
        }
        Ok((found || !unknown).then_some(found))
    }
}

fn holds(compare: Compare, left: &Json, right: &Json) -> Option<bool> {
    let order = match (left, right) {
        (Json::Null, Json::Null) => Ordering::Equal,
        // A null is no value of any other kind, and not less or greater either.
        (Json::Null, _) | (_, Json::Null) => return Some(compare == Compare::NotEqual),
        (Json::Bool(l), Json::Bool(r)) => l.cmp(r),
        (Json::Number(l), Json::Number(r)) => number_order(l, r)?,
        (Json::String(l), Json::String(r)) => l.cmp(r),
        _ => return None,
    };
    Some(match compare {
        Compare::Equal => order.is_eq(),
        Compare::NotEqual => order.is_ne(),
        Compare::Less => order.is_lt(),
        Compare::LessOrEqual => order.is_le(),
        Compare::Greater => order.is_gt(),
        Compare::GreaterOrEqual => order.is_ge(),
    })
}

fn number_order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(l), Some(r)) => Some(l.cmp(&r)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// A float, as an integer if it is one.
fn whole(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        Json::from(value as i64)
    } else {
        Json::from(value)
    }
}

fn arithmetic(op: Arithmetic, left: &Number, right: &Number) -> Result<Json, QueryError> {
    if matches!(op, Arithmetic::Divide | Arithmetic::Modulus) && right.as_f64() == Some(0.0) {
        return Err(failed("division by zero"));
    }
    if let (Some(l), Some(r)) = (left.as_i64(), right.as_i64()) {
        let exact = match op {
            Arithmetic::Add => l.checked_add(r),
            Arithmetic::Subtract => l.checked_sub(r),
            Arithmetic::Multiply => l.checked_mul(r),
            Arithmetic::Divide => (l % r == 0).then_some(l / r),
            Arithmetic::Modulus => l.checked_rem(r),
        };
        if let Some(exact) = exact {
            return Ok(Json::from(exact));
        }
    }
    let (Some(l), Some(r)) = (left.as_f64(), right.as_f64()) else {
        return Err(QueryError::out_of_range());
    };
    Ok(Json::from(match op {
        Arithmetic::Add => l + r,
        Arithmetic::Subtract => l - r,
        Arithmetic::Multiply => l * r,
        Arithmetic::Divide => l / r,
        Arithmetic::Modulus => l % r,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(target: &str, path: &str) -> String {
        let target = json::parse(target).unwrap();
        let vars = serde_json::json!({"min": 2, "max": 4});
        let values = Path::parse(path).and_then(|path| path.query(&target, Some(&vars)));
        match values {
            Ok(values) => json::write(&Json::Array(values)),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_lax_path_looks_into_arrays_and_past_what_is_missing() {
        let target = r#"{"a": [{"b": 1}, {"b": [2, 3]}, 4]}"#;
        for (path, expected) in [
            ("$.a.b", "[1, [2, 3]]"),
            ("$.a.b[*]", "[1, 2, 3]"),
            ("$.a[last]", "[4]"),
            ("$.a[0 to 1].b[0]", "[1, 2]"),
            ("$.a[last - 1, 0].b", "[[2, 3], 1]"),
            ("$.c", "[]"),
            ("$.a[9]", "[]"),
            ("$.a.size()", "[3]"),
            ("$.a[*].type()", r#"["object", "object", "number"]"#),
            (
                "strict $.a.b",
                "jsonpath member accessor can only be applied to an object",
            ),
            ("strict $.c", "JSON object does not contain key \"c\""),
            ("strict $.a[9]", "jsonpath array subscript is out of bounds"),
            (r#"$."a"[2] + 1"#, "[5]"),
            ("-$.a[2]", "[-4]"),
            ("$.a[2] / 0", "division by zero"),
            ("$.*.b", "[1, [2, 3]]"),
        ] {
            assert_eq!(found(target, path), expected, "{path}");
        }
    }

    #[test]
    fn filters_know_three_truths() {
        let target = r#"[1, 2, 3, 4, 5, "abc", null]"#;
        for (path, expected) in [
            ("$[*] ? (@ >= $min && @ <= $max)", "[2, 3, 4]"),
            ("$ ? (!(@ > 1))", "[1, null]"),
            ("$[*] ? ((@ > 1) is unknown)", r#"["abc"]"#),
            (r#"$[*] ? (@ starts with "ab")"#, r#"["abc"]"#),
            (r#"$[*] ? (@ like_regex "^A" flag "i")"#, r#"["abc"]"#),
            ("$[*] ? (@ == null)", "[null]"),
            ("exists($[*] ? (@ > 4))", "[true]"),
            ("$[5] > 1", "[null]"),
            ("$[*] > 4 || $[0] == 7", "[true]"),
            (
                "$[*] ? (@ == $none)",
                "could not find jsonpath variable \"none\"",
            ),
        ] {
            assert_eq!(found(target, path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        for path in ["", "$.", "$[", "$.a ? (1)", "$ $", "a", "$.a && 1"] {
            assert!(found("1", path).starts_with("invalid jsonpath: "), "{path}");
        }
    }
}
