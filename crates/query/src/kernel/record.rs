//! Rows and maps filled from jsonb.

use datafusion::logical_expr::expr::Unnest;
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;
use serde_json::Value as Json;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::json;
use crate::kernel::Kernel;
use crate::read_text::read_as;
use crate::text::Style;
use crate::types::item_field;
use crate::value::Value;

/// `jsonb_populate_record(base, value)`, `jsonb_populate_recordset`, `jsonb_populate_map`: of the base's type.
pub(crate) fn populate(name: &str, base: Bound, value: Expr, style: Style) -> Bound {
    let of = base.data_type.clone();
    let set = name == "jsonb_populate_recordset";
    let returns = match set {
        true => arrow::datatypes::DataType::List(item_field(base.arrow.clone())),
        false => base.arrow.clone(),
    };
    let expr = Kernel::rowwise(
        name,
        format!("{of}@{}", style.zone),
        returns,
        Volatility::Immutable,
        false,
        vec![base.expr, value],
        move |a| {
            if a[1].is_null() {
                return Ok(Value::Null);
            }
            let value = json::parse(a[1].str())?;
            match &value {
                _ if !set => filled(&value, &of, &a[0], style),
                Json::Array(items) => Ok(Value::List(
                    items
                        .iter()
                        .map(|item| filled(item, &of, &a[0], style))
                        .collect::<Result<_, _>>()?,
                )),
                other => Err(QueryError::parse(format!(
                    "cannot extract elements from a jsonb {}",
                    json::type_name(other)
                ))),
            }
        },
    );
    let expr = match set {
        true => Expr::Unnest(Unnest::new(expr)),
        false => expr,
    };
    Bound::new(expr, base.data_type, base.arrow)
}

/// A value of a type from JSON; what a row or a map lacks comes from the base.
fn filled<'a>(
    value: &Json,
    of: &DataType,
    base: &Value<'a>,
    style: Style,
) -> Result<Value<'a>, QueryError> {
    Ok(match (of, value) {
        (DataType::Struct(fields), Json::Object(found)) => {
            let mut row = Vec::with_capacity(fields.len());
            for (i, (name, field)) in fields.iter().enumerate() {
                let base = base.list().get(i).cloned().unwrap_or(Value::Null);
                row.push(match found.get(name) {
                    Some(value) => filled(value, field, &base, style)?,
                    None => base,
                });
            }
            Value::Struct(row)
        }
        (_, Json::Null) => Value::Null,
        (DataType::Struct(_), other) => {
            return Err(QueryError::parse(format!(
                "cannot call populate_composite on a jsonb {}",
                json::type_name(other)
            )));
        }
        (DataType::Map(key, _), _) if **key != DataType::Varchar => {
            return Err(QueryError::parse(
                "cannot convert jsonb to a map with non-string keys",
            ));
        }
        (DataType::Map(_, item), Json::Object(found)) => {
            let mut rows = match base {
                Value::Map(rows) => rows.clone(),
                _ => Vec::new(),
            };
            rows.retain(|(key, _)| !found.contains_key(key.str()));
            for (key, value) in found {
                let value = filled(value, item, &Value::Null, style)?;
                rows.push((Value::text(key.clone()), value));
            }
            rows.sort_by(|(a, _), (b, _)| a.str().cmp(b.str()));
            Value::Map(rows)
        }
        (DataType::Map(..), other) => {
            return Err(QueryError::parse(format!(
                "cannot convert to map from a jsonb {}",
                json::type_name(other)
            )));
        }
        (DataType::List(item), Json::Array(items)) => Value::List(
            items
                .iter()
                .map(|value| filled(value, item, &Value::Null, style))
                .collect::<Result<_, _>>()?,
        ),
        (DataType::List(_), other) => {
            return Err(QueryError::parse(format!(
                "expected JSON array, but found {}",
                json::type_name(other)
            )));
        }
        (DataType::Jsonb, other) => Value::text(json::write(other)),
        (_, other) => {
            let text = json::as_text(other).unwrap_or_default();
            read_as(&text, of, style)?.into_owned()
        }
    })
}
