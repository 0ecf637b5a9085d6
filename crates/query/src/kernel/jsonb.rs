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
use crate::kernel::cast::{Typed, list_item, to_json};
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
            (Json::Object(fields), Value::List(keys)) => {
                for key in keys.iter().filter(|key| !key.is_null()) {
                    fields.remove(key.str());
                }
            }
            (Json::Array(items), Value::List(keys)) => {
                let named = |item: &Json, key: &Value<'_>| {
                    !key.is_null() && item.as_str() == Some(key.str())
                };
                items.retain(|item| !keys.iter().any(|key| named(item, key)));
            }
            (Json::Object(_), Value::Int(_)) => {
                return Err(QueryError::parameter(
                    "jsonb",
                    "cannot delete from object using integer index",
                ));
            }
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

/// `value #- path`: without what is at the path.
pub(crate) fn delete_path(value: Expr, path: Expr) -> Bound {
    fn remove(value: &mut Json, path: &[Value<'_>], step: usize) -> Result<(), QueryError> {
        let last = step + 1 == path.len();
        match value {
            Json::Object(fields) if !fields.is_empty() && step < path.len() => {
                let key = path_key(path, step)?;
                if last {
                    fields.remove(key);
                } else if let Some(inner) = fields.get_mut(key) {
                    remove(inner, path, step + 1)?;
                }
            }
            Json::Array(items) if !items.is_empty() && step < path.len() => {
                match at(items.len(), path_index(path, step)?) {
                    Some(at) if last => {
                        items.remove(at);
                    }
                    Some(at) => remove(&mut items[at], path, step + 1)?,
                    None => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
    let expr = call("jsonb_delete_path", "", vec![value, path], |a| {
        let mut value = json::parse(a[0].str())?;
        if !value.is_object() && !value.is_array() {
            return Err(QueryError::parameter(
                "jsonb",
                "cannot delete path in scalar",
            ));
        }
        remove(&mut value, a[1].list(), 0)?;
        Ok(Value::text(json::write(&value)))
    });
    result(expr, false)
}

/// An element of a path, counted from zero.
fn path_key<'v>(path: &'v [Value<'_>], step: usize) -> Result<&'v str, QueryError> {
    match &path[step] {
        Value::Null => Err(QueryError::parameter(
            "path",
            format!("path element at position {} is null", step + 1),
        )),
        key => Ok(key.str()),
    }
}

/// An element of a path that is the number of an item.
fn path_index(path: &[Value<'_>], step: usize) -> Result<i64, QueryError> {
    let key = path_key(path, step)?;
    key.parse::<i32>().map(i64::from).map_err(|_| {
        QueryError::parameter(
            "path",
            format!(
                "path element at position {} is not an integer: \"{key}\"",
                step + 1
            ),
        )
    })
}

/// The place of an item by its number, from the end if negative.
fn at(length: usize, index: i64) -> Option<usize> {
    let index = if index < 0 {
        i64::try_from(length).ok()? + index
    } else {
        index
    };
    usize::try_from(index).ok().filter(|at| *at < length)
}

/// `jsonb_set(target, path, value [, create])`
pub(crate) fn set(args: Vec<Expr>) -> Bound {
    fn put(
        target: &mut Json,
        path: &[Value<'_>],
        step: usize,
        value: Json,
        create: bool,
    ) -> Result<(), QueryError> {
        let last = step + 1 == path.len();
        match target {
            Json::Object(fields) => {
                let key = path_key(path, step)?;
                match fields.get_mut(key) {
                    Some(inner) if last => *inner = value,
                    Some(inner) => put(inner, path, step + 1, value, create)?,
                    None if create && last => {
                        fields.insert(key.to_owned(), value);
                    }
                    None => {}
                }
            }
            Json::Array(items) => {
                let index = path_index(path, step)?;
                match at(items.len(), index) {
                    Some(at) if last => items[at] = value,
                    Some(at) => put(&mut items[at], path, step + 1, value, create)?,
                    None if create && index < 0 => items.insert(0, value),
                    None if create => items.push(value),
                    None => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
    let expr = call("jsonb_set", "", args, |a| {
        let mut target = json::parse(a[0].str())?;
        if !target.is_object() && !target.is_array() {
            return Err(QueryError::parameter("jsonb", "cannot set path in scalar"));
        }
        let create = a.get(3).is_none_or(Value::bool);
        let (path, value) = (a[1].list(), json::parse(a[2].str())?);
        if path.is_empty() {
            return Err(QueryError::NotImplemented(
                "jsonb_set with an empty path".into(),
            ));
        }
        put(&mut target, path, 0, value, create)?;
        Ok(Value::text(json::write(&target)))
    });
    result(expr, false)
}

/// `jsonb_object(list of keys and values)`, `jsonb_object(keys, values)`
pub(crate) fn object(args: Vec<Expr>) -> Bound {
    let expr = call("jsonb_object", "", args, |a| {
        let texts = a[0].list();
        let pairs: Vec<(&Value<'_>, &Value<'_>)> = match a.get(1) {
            Some(values) if values.list().len() != texts.len() => {
                return Err(QueryError::parameter(
                    "values",
                    "mismatched array dimensions",
                ));
            }
            Some(values) => texts.iter().zip(values.list()).collect(),
            None if texts.len() % 2 == 1 => {
                return Err(QueryError::parameter(
                    "array",
                    "array must have even number of elements",
                ));
            }
            None => texts.chunks(2).map(|pair| (&pair[0], &pair[1])).collect(),
        };
        let mut fields = serde_json::Map::new();
        for (key, value) in pairs {
            if key.is_null() {
                return Err(QueryError::parameter(
                    "keys",
                    "null value not allowed for object key",
                ));
            }
            let value = match value {
                Value::Null => Json::Null,
                text => Json::String(text.str().to_owned()),
            };
            fields.insert(key.str().to_owned(), value);
        }
        Ok(Value::text(json::write(&Json::Object(fields))))
    });
    result(expr, false)
}

/// `jsonb_each[_text](object)`: its fields as rows.
pub(crate) fn each(name: &str, value: Expr) -> Bound {
    let text = name.ends_with("_text");
    let of = match text {
        true => DataType::Varchar,
        false => DataType::Jsonb,
    };
    let row = DataType::Struct(vec![
        ("key".into(), DataType::Varchar),
        ("value".into(), of),
    ]);
    let arrow = crate::types::arrow_type(&row);
    let expr = Kernel::rowwise(
        name,
        "",
        ArrowType::List(item_field(arrow.clone())),
        Volatility::Immutable,
        true,
        vec![value],
        move |a| {
            let value = json::parse(a[0].str())?;
            let Json::Object(fields) = &value else {
                return Err(QueryError::parameter(
                    "jsonb",
                    format!("cannot deconstruct a jsonb {}", json::type_name(&value)),
                ));
            };
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            Ok(Value::List(
                fields
                    .into_iter()
                    .map(|(key, field)| {
                        Value::Struct(vec![Value::text(key.clone()), out(Some(field), text)])
                    })
                    .collect(),
            ))
        },
    );
    Bound::new(Expr::Unnest(Unnest::new(expr)), row, arrow)
}

/// The object of a list of rows of key and value.
pub(crate) fn object_of_rows(rows: Expr, value: crate::kernel::cast::Typed, style: Style) -> Bound {
    let variant = value.data_type.to_string();
    let expr = call("jsonb_object_agg", &variant, vec![rows], move |a| {
        let mut fields = serde_json::Map::new();
        for row in a[0].list() {
            let [key, field] = row.list() else { continue };
            if key.is_null() {
                return Err(QueryError::Evaluation("field name must not be null".into()));
            }
            fields.insert(key.str().to_owned(), to_json(field, &value, style));
        }
        Ok(Value::text(json::write(&Json::Object(fields))))
    });
    result(expr, false)
}

/// `value IS JSON`, of a kind: `VALUE`, `ARRAY`, `OBJECT`, `SCALAR`.
pub(crate) fn is_json(value: Expr, kind: &str) -> Bound {
    let kind = kind.to_owned();
    let expr = Kernel::rowwise(
        "is_json",
        kind.clone(),
        ArrowType::Boolean,
        Volatility::Immutable,
        true,
        vec![value],
        move |a| {
            let Ok(value) = json::parse(a[0].str()) else {
                return Ok(Value::Bool(false));
            };
            let nested = value.is_array() || value.is_object();
            Ok(Value::Bool(match kind.as_str() {
                "array" => value.is_array(),
                "object" => value.is_object(),
                "scalar" => !nested,
                _ => true,
            }))
        },
    );
    Bound::boolean(expr)
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

/// `to_jsonb(value)`, which is `null` of NULL.
pub(crate) fn to_jsonb(value: Bound, style: Style) -> Bound {
    written("to_jsonb", value, style, false)
}

/// `jsonb_agg`: the list of a group's values; NULL of no row.
pub(crate) fn array_of(list: Bound, style: Style) -> Bound {
    written("jsonb_agg", list, style, true)
}

fn written(name: &str, value: Bound, style: Style, strict: bool) -> Bound {
    let of = value.typed();
    let variant = of.data_type.to_string();
    let expr = Kernel::rowwise(
        name,
        variant,
        ArrowType::Utf8,
        Volatility::Immutable,
        strict,
        vec![value.expr],
        move |a| Ok(Value::text(json::write(&to_json(&a[0], &of, style)))),
    );
    result(expr, false)
}

/// `jsonb_build_object(key, value, …)` and `jsonb_build_array(value, …)`
pub(crate) fn build(object: bool, args: Vec<Bound>, style: Style) -> Bound {
    building(object, "", args, move |a, types| {
        built(object, &a.iter().zip(types).collect::<Vec<_>>(), style)
    })
}

/// The same functions with a list as their last arguments.
pub(crate) fn build_spread(object: bool, args: Vec<Bound>, style: Style) -> Bound {
    building(object, "variadic ", args, move |a, types| {
        let (Some((Value::List(items), first)), Some(of)) = (a.split_last(), types.last()) else {
            return Ok(Value::Null);
        };
        let item = match &of.data_type {
            DataType::List(item) => list_item(item, &of.arrow),
            _ => of.clone(),
        };
        let values: Vec<_> = first
            .iter()
            .zip(types)
            .chain(items.iter().map(|value| (value, &item)))
            .collect();
        built(object, &values, style)
    })
}

/// `variant` tells two ways of calling apart.
fn building(
    object: bool,
    variant: &str,
    args: Vec<Bound>,
    write: impl for<'a> Fn(&[Value<'a>], &[Typed]) -> Out<'a> + Send + Sync + 'static,
) -> Bound {
    let types: Vec<_> = args.iter().map(Bound::typed).collect();
    let names: Vec<String> = types.iter().map(|t| t.data_type.to_string()).collect();
    let exprs = args.into_iter().map(|a| a.expr).collect();
    let name = if object {
        "jsonb_build_object"
    } else {
        "jsonb_build_array"
    };
    let expr = Kernel::rowwise(
        name,
        format!("{variant}{}", names.join(",")),
        ArrowType::Utf8,
        Volatility::Immutable,
        false,
        exprs,
        move |a| write(a, &types),
    );
    result(expr, false)
}

fn built<'a>(object: bool, values: &[(&Value<'_>, &Typed)], style: Style) -> Out<'a> {
    if !object {
        let items = values.iter().map(|(v, t)| to_json(v, t, style)).collect();
        return Ok(Value::text(json::write(&Json::Array(items))));
    }
    let wrong = |why: String| Err(QueryError::Evaluation(why));
    let mut fields = serde_json::Map::new();
    for (i, pair) in values.chunks(2).enumerate() {
        let [(key, of), (value, value_type)] = pair else {
            return wrong("argument list must have even number of elements".into());
        };
        if key.is_null() {
            return wrong(format!("argument {}: key must not be null", i * 2 + 1));
        }
        if matches!(
            of.data_type,
            DataType::List(_) | DataType::Struct(_) | DataType::Jsonb
        ) {
            return wrong("key value must be scalar, not array, composite, or json".into());
        }
        let key = crate::text::of(key, &of.data_type, &of.arrow, style);
        fields.insert(key, to_json(value, value_type, style));
    }
    Ok(Value::text(json::write(&Json::Object(fields))))
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
                    let what = match kind.as_str() {
                        "jsonb_object_keys" => "cannot call jsonb_object_keys on",
                        _ => "cannot extract elements from",
                    };
                    return Err(QueryError::parameter(
                        "jsonb",
                        format!("{what} a jsonb {}", json::type_name(&value)),
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

/// `jsonb_to_array(value)`: the items of an array as a list.
pub(crate) fn to_array(value: Expr) -> Bound {
    let data_type = DataType::List(Box::new(DataType::Jsonb));
    let arrow = crate::types::arrow_type(&data_type);
    let expr = Kernel::rowwise(
        "jsonb_to_array",
        "",
        arrow,
        Volatility::Immutable,
        true,
        vec![value],
        |a| match json::parse(a[0].str())? {
            Json::Array(items) => Ok(Value::List(
                items.iter().map(|i| Value::text(json::write(i))).collect(),
            )),
            other => Err(QueryError::parameter(
                "jsonb",
                format!(
                    "cannot extract elements from a jsonb {}",
                    json::type_name(&other)
                ),
            )),
        },
    );
    Bound::of(expr, data_type)
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
