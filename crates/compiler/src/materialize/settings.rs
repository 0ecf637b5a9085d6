//! Functions that only the built-in materializations use: session settings, option lists, the kind of a model's text.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};
use rwt_project::profile::{SESSION_KEYS, session_statement};
use rwt_sql::{Ident, Literal};
use serde_json::Value as Json;

use crate::jinja::{pairs_of, raise, scope_of, send};

/// Adds them to an environment.
pub fn add_functions(env: &mut Environment<'static>) {
    env.add_function("rwt__begin_settings", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        if let Some(Json::String(header)) = scope.config_value("sql_header") {
            send(&scope, &header)?;
        }
        for (key, value) in settings(&|key| scope.config_value(key)) {
            send(&scope, &session_statement(key, &value))?;
        }
        Ok::<_, Error>("")
    });
    env.add_function("rwt__end_settings", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        let settings = settings(&|key| scope.config_value(key));
        if settings
            .iter()
            .any(|(key, value)| *key == BACKGROUND && is_true(value))
        {
            send(&scope, "wait")?;
        }
        for (key, _) in settings {
            send(&scope, &format!("set {} to default", Ident::new(key)))?;
        }
        Ok::<_, Error>("")
    });
    env.add_function("rwt__options", options);
    env.add_function("rwt__is_query", |sql: String| is_query(&sql));
    env.add_function("rwt__literal", |value: Value| {
        Literal::Text(&value.to_string()).to_string()
    });
    env.add_filter("rwt__identifier", |value: Value| {
        Ident::new(value.to_string()).quoted()
    });
}

const BACKGROUND: &str = "background_ddl";

/// The settings that a node's configuration asks for, in the order in which they are sent.
fn settings(config: &dyn Fn(&str) -> Option<Json>) -> Vec<(&'static str, Json)> {
    std::iter::once(BACKGROUND)
        .chain(SESSION_KEYS)
        .filter_map(|key| Some((key, config(key)?)))
        .filter(|(_, value)| !value.is_null())
        .collect()
}

fn is_true(value: &Json) -> bool {
    value.as_bool().unwrap_or_else(|| {
        value
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    })
}

/// `key = 'value'` of each pair, on lines of their own; a value of the form `secret name` refers to a secret.
fn options(values: Value) -> Result<String, Error> {
    let mut lines = Vec::new();
    for (key, value) in pairs_of(&values)? {
        let key = key.to_string();
        let good = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !good {
            return Err(raise(
                "rwt::jinja::option",
                format!("`{key}` cannot be the name of an option"),
                Some("option names are letters, digits, `_`, `-` and `.`".to_owned()),
            ));
        }
        // RisingWave's options know `true` and `false`; Jinja writes booleans as Python does.
        let text = match value.kind() {
            ValueKind::None => String::new(),
            ValueKind::Bool => value.is_true().to_string(),
            _ => value.to_string(),
        };
        let secret = text
            .strip_prefix("secret ")
            .map(|name| format!("secret {}", Ident::new(name.trim())));
        let value = secret.unwrap_or_else(|| Literal::Text(&text).to_string());
        lines.push(format!("    {key} = {value}"));
    }
    Ok(lines.join(",\n"))
}

/// Whether a text begins as a query does, comments aside.
pub fn is_query(sql: &str) -> bool {
    let first = rwt_sql::lexer::tokenize(sql)
        .into_iter()
        .find(|token| !token.kind.is_trivia());
    first.is_some_and(|token| {
        ["select", "with", "values"]
            .iter()
            .any(|word| token.is_word(sql, word))
            || token.is_symbol(sql, "(")
    })
}
