//! dbt's filters beyond Jinja's own: `as_bool`, `as_number`, `as_native`, `as_text`.

use minijinja::{Environment, Error, Value};

use super::collections::from_json;
use super::error::raise;

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
}

fn conversion(text: &str, what: &str) -> Error {
    raise(
        "rwt::jinja::conversion",
        format!("`{text}` is not {what}"),
        None,
    )
}
