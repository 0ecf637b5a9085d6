//! Operators and functions of jsonb. Values are canonical texts.

use arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::expr::Unnest;
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;
use serde_json::Value as Json;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::json;
use crate::kernel::Kernel;
use crate::kernel::cast::to_json;
use crate::text::Style;
use crate::types::item_field;
use crate::value::Value;

type Out<'a> = Result<Value<'a>, QueryError>;

fn call(
    name: &str,
    variant: &str,
    args: Vec<Expr>,
    row: impl for<'a> Fn(&[Value<'a>]) -> Out<'a> + Send + Sync + 'static,
) -> Expr {
    Kernel::rowwise(
        name,
        variant,
        ArrowType::Utf8,
        Volatility::Immutable,
        true,
        args,
        row,
    )
}

fn out<'a>(found: Option<&Json>, text: bool) -> Value<'a> {
    match found {
        None => Value::Null,
        Some(value) if text => json::as_text(value).map_or(Value::Null, Value::text),
        Some(value) => Value::text(json::write(value)),
    }
}

fn result(expr: Expr, text: bool) -> Bound {
    Bound::of(
        expr,
        if text {
            DataType::Varchar
        } else {
            DataType::Jsonb
        },
    )
}

/// `->` and `->>` by key or index.
pub(crate) fn access(left: Expr, right: Expr, text: bool) -> Bound {
    let name = if text {
        "jsonb_access_str"
    } else {
        "jsonb_access"
    };
    let expr = call(name, "", vec![left, right], move |a| {
        let value = json::parse(a[0].str())?;
        let found = match &a[1] {
            Value::Int(index) => json::item(&value, *index),
            key => value.as_object().and_then(|fields| fields.get(key.str())),
        };
        Ok(out(found, text))
    });
    result(expr, text)
}

fn walk<'j, 'k>(value: &'j Json, path: impl Iterator<Item = &'k str>) -> Option<&'j Json> {
    let mut current = value;
    for key in path {
        current = json::get(current, key)?;
    }
    Some(current)
}

/// `#>` and `#>>`
pub(crate) fn path(left: Expr, path: Expr, text: bool) -> Bound {
    let expr = call(
        "jsonb_path",
        if text { "text" } else { "" },
        vec![left, path],
        move |a| {
            let value = json::parse(a[0].str())?;
            if a[1].list().iter().any(Value::is_null) {
                return Ok(Value::Null);
            }
            Ok(out(walk(&value, a[1].list().iter().map(Value::str)), text))
        },
    );
    result(expr, text)
}

/// `jsonb_extract_path(value, key, …)`
pub(crate) fn extract_path(text: bool, args: Vec<Expr>) -> Bound {
    let expr = call(
        "jsonb_extract_path",
        if text { "text" } else { "" },
        args,
        move |a| {
            let value = json::parse(a[0].str())?;
            Ok(out(walk(&value, a[1..].iter().map(Value::str)), text))
        },
    );
    result(expr, text)
}

/// `a || b`: objects are merged, everything else becomes an array.
pub(crate) fn concatenate(left: Expr, right: Expr) -> Bound {
    let expr = call("jsonb_concat", "", vec![left, right], |a| {
        let merged = match (json::parse(a[0].str())?, json::parse(a[1].str())?) {
            (Json::Object(mut l), Json::Object(r)) => {
                l.extend(r);
                Json::Object(l)
            }
            (l, r) => {
                let items = |v: Json| match v {
                    Json::Array(items) => items,
                    other => vec![other],
                };
                Json::Array(items(l).into_iter().chain(items(r)).collect())
            }
        };
        Ok(Value::text(json::write(&merged)))
    });
    result(expr, false)
}

/// `value - key`, `value - index`
pub(crate) fn delete(left: Expr, right: Expr) -> Bound {
    let expr = call("jsonb_delete", "", vec![left, right], |a| {
        let mut value = json::parse(a[0].str())?;
        match (&mut value, &a[1]) {
            (Json::Object(fields), key) => {
                fields.remove(key.str());
            }
            (Json::Array(items), Value::Int(index)) => {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if *index < 0 { length + index } else { *index };
                if let Some(at) = usize::try_from(at).ok().filter(|at| *at < items.len()) {
                    items.remove(at);
                }
            }
            (Json::Array(items), key) => items.retain(|item| item.as_str() != Some(key.str())),
            _ => return Err(QueryError::parameter("jsonb", "cannot delete from scalar")),
        }
        Ok(Value::text(json::write(&value)))
    });
    result(expr, false)
}

/// `outer @> inner`
pub(crate) fn contains(outer: Expr, inner: Expr) -> Expr {
    let args = vec![outer, inner];
    Kernel::rowwise(
        "jsonb_contains",
        "",
        ArrowType::Boolean,
        Volatility::Immutable,
        true,
        args,
        |a| {
            Ok(Value::Bool(json::contains(
                &json::parse(a[0].str())?,
                &json::parse(a[1].str())?,
            )))
        },
    )
}

/// `?`, `?|`, `?&`
pub(crate) fn exists(name: &'static str, left: Expr, right: Expr) -> Expr {
    let args = vec![left, right];
    Kernel::rowwise(
        name,
        "",
        ArrowType::Boolean,
        Volatility::Immutable,
        true,
        args,
        move |a| {
            let value = json::parse(a[0].str())?;
            let has = |key: &str| match &value {
                Json::Object(fields) => fields.contains_key(key),
                Json::Array(items) => items.iter().any(|item| item.as_str() == Some(key)),
                Json::String(text) => text == key,
                _ => false,
            };
            Ok(Value::Bool(match &a[1] {
                Value::List(keys) if name.ends_with("any") => keys.iter().any(|key| has(key.str())),
                Value::List(keys) => keys.iter().all(|key| has(key.str())),
                key => has(key.str()),
            }))
        },
    )
}

/// `to_jsonb(value)`
pub(crate) fn to_jsonb(value: Bound, style: Style) -> Bound {
    let of = value.typed();
    let variant = of.data_type.to_string();
    let expr = call("to_jsonb", &variant, vec![value.expr], move |a| {
        Ok(Value::text(json::write(&to_json(&a[0], &of, style))))
    });
    result(expr, false)
}

/// `jsonb_build_object(key, value, …)` and `jsonb_build_array(value, …)`
pub(crate) fn build(object: bool, args: Vec<Bound>, style: Style) -> Bound {
    let types: Vec<_> = args.iter().map(Bound::typed).collect();
    let variant: Vec<String> = types.iter().map(|t| t.data_type.to_string()).collect();
    let exprs = args.into_iter().map(|a| a.expr).collect();
    let name = if object {
        "jsonb_build_object"
    } else {
        "jsonb_build_array"
    };
    let expr = Kernel::rowwise(
        name,
        variant.join(","),
        ArrowType::Utf8,
        Volatility::Immutable,
        false,
        exprs,
        move |a| {
            let values = a.iter().zip(&types).map(|(v, t)| to_json(v, t, style));
            if !object {
                return Ok(Value::text(json::write(&Json::Array(values.collect()))));
            }
            let values: Vec<Json> = values.collect();
            let mut fields = serde_json::Map::new();
            for (i, pair) in values.chunks(2).enumerate() {
                let [key, value] = pair else {
                    return Err(QueryError::parameter(
                        "args",
                        "argument list must have even number of elements",
                    ));
                };
                let key = json::as_text(key).ok_or_else(|| {
                    QueryError::parameter(
                        "args",
                        format!("argument {}: key must not be null", i * 2 + 1),
                    )
                })?;
                fields.insert(key, value.clone());
            }
            Ok(Value::text(json::write(&Json::Object(fields))))
        },
    );
    result(expr, false)
}

/// `jsonb_array_elements[_text]` and `jsonb_object_keys`, as sets of rows.
pub(crate) fn elements(name: &str, value: Expr) -> Bound {
    let kind = name.to_owned();
    let list = ArrowType::List(item_field(ArrowType::Utf8));
    let expr = Kernel::rowwise(
        name,
        "",
        list,
        Volatility::Immutable,
        true,
        vec![value],
        move |a| {
            let value = json::parse(a[0].str())?;
            let items = match (kind.as_str(), &value) {
                ("jsonb_object_keys", Json::Object(fields)) => {
                    let mut keys: Vec<&String> = fields.keys().collect();
                    keys.sort();
                    keys.into_iter()
                        .map(|key| Value::text(key.clone()))
                        .collect()
                }
                ("jsonb_array_elements" | "jsonb_array_elements_text", Json::Array(items)) => items
                    .iter()
                    .map(|item| out(Some(item), kind.ends_with("text")))
                    .collect(),
                _ => {
                    return Err(QueryError::parameter(
                        "jsonb",
                        format!("cannot extract elements from {}", json::type_name(&value)),
                    ));
                }
            };
            Ok(Value::List(items))
        },
    );
    let data_type = if name == "jsonb_array_elements" {
        DataType::Jsonb
    } else {
        DataType::Varchar
    };
    Bound::of(Expr::Unnest(Unnest::new(expr)), data_type)
}

pub(crate) fn array_length<'a>(a: &[Value<'a>]) -> Out<'a> {
    let value = json::parse(a[0].str())?;
    let items = value.as_array().ok_or_else(|| {
        QueryError::parameter(
            "jsonb",
            format!(
                "cannot get array length of a jsonb {}",
                json::type_name(&value)
            ),
        )
    })?;
    Ok(Value::Int(i64::try_from(items.len()).unwrap_or(i64::MAX)))
}

pub(crate) fn strip_nulls<'a>(a: &[Value<'a>]) -> Out<'a> {
    fn strip(value: Json) -> Json {
        match value {
            Json::Object(fields) => Json::Object(
                fields
                    .into_iter()
                    .filter(|(_, v)| !v.is_null())
                    .map(|(k, v)| (k, strip(v)))
                    .collect(),
            ),
            Json::Array(items) => Json::Array(items.into_iter().map(strip).collect()),
            other => other,
        }
    }
    Ok(Value::text(json::write(&strip(json::parse(a[0].str())?))))
}
