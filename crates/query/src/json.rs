//! jsonb: stored as canonical text (keys sorted, blanks after `:` and `,`), so that equal values are equal texts.

use serde_json::Value as Json;

use crate::error::QueryError;

/// The canonical text of a JSON text.
pub(crate) fn canonical(text: &str) -> Result<String, QueryError> {
    Ok(write(&parse(text)?))
}

/// Reads a JSON text.
pub(crate) fn parse(text: &str) -> Result<Json, QueryError> {
    serde_json::from_str(text).map_err(|error| QueryError::parse(format!("jsonb {error}")))
}

/// Writes canonical text.
pub(crate) fn write(value: &Json) -> String {
    let mut out = String::new();
    write_to(value, &mut out);
    out
}

fn write_to(value: &Json, out: &mut String) {
    match value {
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_to(item, out);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(&Json::String(key.clone()).to_string());
                out.push_str(": ");
                write_to(&fields[key], out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Text over several lines, four blanks for each step in.
pub(crate) fn pretty(value: &Json) -> String {
    let mut out = String::new();
    pretty_to(value, 0, &mut out);
    out
}

fn pretty_to(value: &Json, depth: usize, out: &mut String) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    };
    match value {
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                line(out, depth + 1);
                pretty_to(item, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        Json::Object(fields) if !fields.is_empty() => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                line(out, depth + 1);
                out.push_str(&Json::String(key.clone()).to_string());
                out.push_str(": ");
                pretty_to(&fields[key], depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
        other => write_to(other, out),
    }
}

/// The text that `->>` gives: a string without quotes, NULL for null.
pub(crate) fn as_text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(write(other)),
    }
}

/// A field of an object, or an item of an array by its number (from the end if negative).
pub(crate) fn get<'a>(value: &'a Json, key: &str) -> Option<&'a Json> {
    match value {
        Json::Object(fields) => fields.get(key),
        Json::Array(_) => item(value, key.parse().ok()?),
        _ => None,
    }
}

/// An item of an array, counted from the end if negative.
pub(crate) fn item(value: &Json, index: i64) -> Option<&Json> {
    let items = value.as_array()?;
    let index = if index < 0 {
        i64::try_from(items.len()).ok()? + index
    } else {
        index
    };
    items.get(usize::try_from(index).ok()?)
}

/// `jsonb_typeof`
pub(crate) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// `@>`: whether the left value holds the right one.
pub(crate) fn contains(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Object(l), Json::Object(r)) => r
            .iter()
            .all(|(key, value)| l.get(key).is_some_and(|inner| contains(inner, value))),
        (Json::Array(l), Json::Array(r)) => r
            .iter()
            .all(|value| l.iter().any(|inner| contains(inner, value))),
        (Json::Array(l), other) => l.contains(other),
        (l, r) => l == r,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_equal_texts() {
        assert_eq!(
            canonical("{\"b\":1,\"a\":[1,{\"z\":null}]}").unwrap(),
            "{\"a\": [1, {\"z\": null}], \"b\": 1}"
        );
        assert!(canonical("{").is_err());
    }
}
