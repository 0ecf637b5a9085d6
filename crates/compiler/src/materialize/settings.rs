//! Functions that only the built-in materializations use: session settings, option lists, the kind of a model's text.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};
use rwt_project::profile::{SESSION_KEYS, session_statement};
use rwt_sql::lexer::Lexer;
use rwt_sql::{Ident, Literal};
use serde_json::Value as Json;

use crate::jinja::{
    Scope, check_contract_text, check_seed, pairs_of, raise, rows_sql, scope_of, send,
};

/// Adds them to an environment.
pub fn add_functions(env: &mut Environment<'static>) {
    env.add_function("rwt__header", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        scope.note_header();
        Ok::<_, Error>(header(&scope))
    });
    env.add_function("rwt__header_once", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        Ok::<_, Error>(match scope.note_header() {
            true => String::new(),
            false => header(&scope),
        })
    });
    env.add_function("rwt__wait", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        if scope
            .config_value(BACKGROUND)
            .is_some_and(|value| is_true(&value))
        {
            send(&scope, "wait")?;
        }
        Ok::<_, Error>("")
    });
    env.add_function("rwt__is_live", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        let session = scope.session.as_ref();
        Ok::<_, Error>(
            session.is_some_and(|session| session.lock().is_ok_and(|session| session.is_live())),
        )
    });
    // None where the text does not tell.
    env.add_function("rwt__text_columns", |sql: String| {
        let names = rwt_sql::output_columns(&sql)?;
        let names = names.into_iter().flatten().map(Value::from);
        Some(names.collect::<Vec<_>>())
    });
    env.add_function("rwt__check_contract_text", |sql: String, columns: Value| {
        check_contract_text(&sql, &columns)
    });
    env.add_function("rwt__reset_settings", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        for (key, _) in settings(&|key| scope.config_value(key)) {
            send(&scope, &format!("set {} to default", Ident::new(key)))?;
        }
        Ok::<_, Error>("")
    });
    env.add_function("rwt__rows", |rows: Value| rows_sql(&rows));
    env.add_function(
        "rwt__check_seed",
        |state: &mut State<'_, '_>,
         table: Value,
         existing: Value,
         names: Vec<String>,
         types: Vec<String>| {
            check_seed(state, &table, &existing, &names, &types).map(|()| "")
        },
    );
    env.add_function("rwt__options", options);
    env.add_function("rwt__is_query", |sql: String| is_query(&sql));
    env.add_function("rwt__literal", |value: Value| {
        Literal::Text(&value.to_string()).to_string()
    });
    // Names of users: as they are where they need no quotes, or have them.
    env.add_function("rwt__names", |names: Value| {
        let mut out = Vec::new();
        for name in names.try_iter()? {
            let name = name.to_string();
            out.push(match name.starts_with('"') {
                true => name,
                false => Ident::new(name).to_string(),
            });
        }
        Ok::<_, Error>(out.join(", "))
    });
}

/// `sql_header` and the settings of the configuration, as statements.
fn header(scope: &Scope) -> String {
    let mut lines = Vec::new();
    if let Some(Json::String(header)) = scope.config_value("sql_header") {
        let end = if header.trim_end().ends_with(';') {
            ""
        } else {
            ";"
        };
        lines.push(format!("{}{end}", header.trim_end()));
    }
    for (key, value) in settings(&|key| scope.config_value(key)) {
        lines.push(format!("{};", session_statement(key, &value)));
    }
    lines.join("\n")
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

/// `key = 'value'` of each pair, on lines of their own; a value `{'secret': 'name'}` refers to a secret.
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
        let value = match value.kind() {
            ValueKind::Map => secret_reference(&key, &value)?,
            _ => Literal::Text(&text).to_string(),
        };
        lines.push(format!("    {key} = {value}"));
    }
    Ok(lines.join(",\n"))
}

/// `secret name` of `{'secret': 'name'}` or `{'secret': 'schema.name'}`.
fn secret_reference(key: &str, value: &Value) -> Result<String, Error> {
    let pairs = pairs_of(value)?;
    let name = match pairs.as_slice() {
        [(word, name)] if word.as_str() == Some("secret") => name.as_str().unwrap_or_default(),
        _ => "",
    };
    let parts: Vec<&str> = name.split('.').collect();
    let good = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if parts.len() <= 2 && parts.iter().all(good) {
        return Ok(format!("secret {name}"));
    }
    Err(raise(
        "rwt::jinja::option",
        format!("the option `{key}` has a value that is neither plain nor a secret's name"),
        Some("a RisingWave secret is named as {'secret': 'kafka_password'}".to_owned()),
    ))
}

/// Whether a text begins as a query does, comments aside.
pub fn is_query(sql: &str) -> bool {
    let first = Lexer::new(sql).find(|token| !token.kind.is_trivia());
    first.is_some_and(|token| {
        ["select", "with", "values"]
            .iter()
            .any(|word| token.is_word(sql, word))
            || token.is_symbol(sql, "(")
    })
}
