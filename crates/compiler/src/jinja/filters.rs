//! dbt's filters beyond Jinja's own, `as_bool`, `as_number`, `as_native`, `as_text`, and those filters and tests of
//! Jinja's that minijinja has otherwise.

use minijinja::value::{DynObject, Kwargs, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, Value};

use super::collections::from_json;
use super::config::ConfigValue;
use super::error::raise;
use super::functions::Var;
use super::macros::MacroValue;

/// Adds every filter to an environment.
pub fn add_to(env: &mut Environment<'static>) {
    super::arithmetic::add_to(env);
    env.add_filter("as_bool", |value: Value| {
        match value.to_string().to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            other => Err(conversion(other, "a boolean")),
        }
    });
    env.add_filter("as_number", |value: Value| {
        let text = value.to_string();
        let text = text.trim();
        text.parse::<i64>()
            .map(Value::from)
            .or_else(|_| text.parse::<f64>().map(Value::from))
            .map_err(|_| conversion(text, "a number"))
    });
    env.add_filter("as_native", |value: Value| {
        let native = value
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok());
        native.map_or(value, |json: serde_json::Value| from_json(&json))
    });
    env.add_filter("as_text", |value: Value| value.to_string());
    env.add_filter("indent", indent);
    add_tests(env);
}

/// Jinja2's tests that ask what Python can do with a value.
fn add_tests(env: &mut Environment<'static>) {
    env.add_test("iterable", |value: Value| {
        !value.is_none() && value.try_iter().is_ok()
    });
    env.add_test("sequence", |value: Value| {
        let kind = value.kind();
        matches!(
            kind,
            ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Undefined
        ) || kind == ValueKind::Iterable && value.len().is_some()
    });
    env.add_test("callable", |value: Value| {
        value.is_undefined() || value.as_object().is_some_and(is_callable)
    });
}

fn is_callable(object: &DynObject) -> bool {
    let name = object.type_name();
    name.starts_with("minijinja::functions::")
        || name.starts_with("minijinja::vm::macro_object::")
        || object.is::<MacroValue>()
        || object.is::<ConfigValue>()
        || object.is::<Var>()
}

/// Jinja2's `indent`: with so many blanks, or with a text; a line break at the end stays.
fn indent(text: String, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let args = args.into_values();
    let (width, first, blank, keywords): (Option<Value>, Option<bool>, Option<bool>, Kwargs) =
        from_args(&args)?;
    let width = keywords.get::<Option<Value>>("width")?.or(width);
    let first = keywords.get::<Option<bool>>("first")?.or(first);
    let blank = keywords.get::<Option<bool>>("blank")?.or(blank);
    keywords.assert_all_used()?;
    let by = match width {
        Some(width) => match (width.as_str(), width.as_i64()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(width)) => " ".repeat(usize::try_from(width).unwrap_or(0).min(10_000)),
            (None, None) => return Err(conversion(&width.to_string(), "a width")),
        },
        None => " ".repeat(4),
    };
    let mut out = String::with_capacity(text.len() + 64);
    for (at, line) in text.split('\n').enumerate() {
        let is_indented = match at {
            0 => first == Some(true),
            _ => !line.is_empty() || blank == Some(true),
        };
        if at > 0 {
            out.push('\n');
        }
        if is_indented {
            out.push_str(&by);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn conversion(text: &str, what: &str) -> Error {
    raise(
        "rwt::jinja::conversion",
        format!("`{text}` is not {what}"),
        None,
    )
}
