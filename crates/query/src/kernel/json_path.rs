//! The functions of SQL/JSON paths.

use arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::expr::Unnest;
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;
use serde_json::Value as Json;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::json;
use crate::json_path::Path;
use crate::kernel::Kernel;
use crate::types::item_field;
use crate::value::Value;

/// `jsonb_path_…(value, path [, vars [, silent]])`. A path that is a literal is read once, when the statement is bound.
pub(crate) fn function(name: &str, path: Option<Path>, args: Vec<Expr>) -> Bound {
    let kind = name.to_owned();
    let (data_type, arrow) = match name {
        "jsonb_path_exists" | "jsonb_path_match" => (DataType::Boolean, ArrowType::Boolean),
        "jsonb_path_query" => (
            DataType::Jsonb,
            ArrowType::List(item_field(ArrowType::Utf8)),
        ),
        _ => (DataType::Jsonb, ArrowType::Utf8),
    };
    let variant = path.as_ref().map(|path| format!("{path:?}"));
    let expr = Kernel::rowwise(
        name,
        variant.unwrap_or_default(),
        arrow,
        Volatility::Immutable,
        true,
        args,
        move |a| {
            let silent = a.get(3).is_some_and(Value::bool);
            let found = match &path {
                Some(path) => result(&kind, path, a),
                None => result(&kind, &Path::parse(a[1].str())?, a),
            };
            match found {
                Err(QueryError::Evaluation(_)) if silent => Ok(Value::Null),
                other => other,
            }
        },
    );
    let expr = match name {
        "jsonb_path_query" => Expr::Unnest(Unnest::new(expr)),
        _ => expr,
    };
    Bound::of(expr, data_type)
}

fn result(kind: &str, path: &Path, a: &[Value<'_>]) -> Result<Value<'static>, QueryError> {
    let target = json::parse(a[0].str())?;
    let vars = a.get(2).map(|vars| json::parse(vars.str())).transpose()?;
    let found = path.query(&target, vars.as_ref())?;
    let text = |value: &Json| Value::text(json::write(value));
    Ok(match kind {
        "jsonb_path_exists" => Value::Bool(!found.is_empty()),
        "jsonb_path_match" => match found.as_slice() {
            [Json::Bool(value)] => Value::Bool(*value),
            [Json::Null] => Value::Null,
            _ => {
                return Err(QueryError::Evaluation(
                    "single boolean result is expected".into(),
                ));
            }
        },
        "jsonb_path_query_array" => text(&Json::Array(found)),
        "jsonb_path_query_first" => found.first().map_or(Value::Null, text),
        _ => Value::List(found.iter().map(text).collect()),
    })
}
