//! Statements and queries: `statement`, `run_query`, `load_result`.

use std::fmt;
use std::sync::{Arc, PoisonError};

use minijinja::value::{Kwargs, Object, from_args};
use minijinja::{Error, State, Value};

use super::collections::{dict, from_json, list};
use super::error::{raise, raise_database};
use super::relation::Relation;
use super::scope::{Phase, Scope, StatementResult, scope_of};
use super::table::{table_value, tuple};
use crate::materialize::{DatabaseError, Response, Session};

/// Sends statements to the session and keeps the answer.
///
/// # Errors
/// What the database refused, or that there is no session.
pub fn execute(scope: &Scope, sql: &str) -> Result<(Response, bool), Error> {
    each(scope, sql, |session, sql| session.execute(sql))
}

/// The same for what a hook says.
///
/// # Errors
/// What the database refused.
pub fn perform(scope: &Scope, sql: &str) -> Result<(), Error> {
    each(scope, sql, |session, sql| session.perform(sql)).map(drop)
}

fn each(
    scope: &Scope,
    sql: &str,
    send: impl Fn(&mut dyn Session, &str) -> Result<Response, DatabaseError>,
) -> Result<(Response, bool), Error> {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    let Some(session) = scope.session.as_ref().filter(|_| !sql.is_empty()) else {
        return Ok((Response::default(), false));
    };
    let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
    let live = session.is_live();
    // Each statement by itself, so that an error's line is the statement's own.
    let pieces = match sql.contains(';') {
        true => rwt_sql::split_script(sql).unwrap_or_default(),
        false => Vec::new(),
    };
    let mut response = Response::default();
    for piece in &pieces {
        response = send(&mut *session, piece.text).map_err(raise_database)?;
    }
    if pieces.is_empty() {
        response = send(&mut *session, sql).map_err(raise_database)?;
    }
    Ok((response, live))
}

/// Whether statements reach a database.
pub fn is_live(scope: &Scope) -> bool {
    let session = scope.session.as_ref();
    session.is_some_and(|session| session.lock().is_ok_and(|session| session.is_live()))
}

/// The relation of this name in the database.
///
/// # Errors
/// What the database refused.
pub fn find_relation(scope: &Scope, relation: &Relation) -> Result<Value, Error> {
    let (Some(session), Some(identifier)) = (&scope.session, &relation.identifier) else {
        return Ok(Value::from(()));
    };
    let schema = relation
        .schema
        .as_deref()
        .unwrap_or(&scope.shared.default_schema);
    let found = session
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .relation(schema, identifier)
        .map_err(raise_database)?;
    Ok(found.map_or_else(
        || Value::from(()),
        |found| {
            Relation::new(&found.database, &found.schema, &found.identifier)
                .of_kind(&found.kind)
                .value()
        },
    ))
}

/// `{% call statement('main', fetch_result=True) %}`
///
/// # Errors
/// What the database refused; a call without a block.
pub fn statement(state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let (name, keywords): (Option<Value>, Kwargs) = from_args(args)?;
    let named: Option<Value> = keywords.get("name")?;
    let caller: Option<Value> = keywords.get("caller")?;
    let caller = caller.ok_or_else(|| {
        raise(
            "rwt::jinja::statement",
            "statement() takes its SQL from a block",
            Some("{% call statement('main') %} … {% endcall %}".to_owned()),
        )
    })?;
    let sql = caller.call(state, &[])?.to_string();
    let scope = scope_of(state)?;
    scope.note_native("statement");
    if scope.phase == Phase::Parse {
        return Ok(Value::from(""));
    }
    let (response, live) = execute(&scope, &sql)?;
    if let Some(name) = name.or(named).filter(|name| !name.is_none()) {
        scope.store_result(&name.to_string(), result_of(response, live));
    }
    Ok(Value::from(""))
}

/// `run_query(sql)`: a table, or none while parsing.
///
/// # Errors
/// What the database refused.
pub fn run_query(state: &mut State<'_, '_>, sql: &Value) -> Result<Value, Error> {
    let scope = scope_of(state)?;
    scope.note_native("run_query");
    if scope.phase == Phase::Parse {
        return Ok(Value::from(()));
    }
    let (response, live) = execute(&scope, &sql.to_string())?;
    Ok(table_value(response.table.unwrap_or_default(), live))
}

fn result_of(response: Response, live: bool) -> StatementResult {
    let table = response.table.unwrap_or_default();
    let data = list(
        table
            .rows
            .iter()
            .map(|row| tuple(row.iter().map(from_json))),
    );
    let answer = Value::from_object(Answer {
        message: response.message.clone(),
        rows_affected: response.rows_affected,
    });
    StatementResult {
        message: response.message,
        code: String::new(),
        rows_affected: response.rows_affected,
        value: dict([
            (Value::from("response"), answer),
            (Value::from("data"), data),
            (Value::from("table"), table_value(table, live)),
        ]),
    }
}

/// `store_raw_result(name, message, code, rows_affected)`, which a materialization uses to say that it did nothing.
///
/// # Errors
/// An unknown argument.
pub fn store_raw_result(state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let (name, keywords): (Option<Value>, Kwargs) = from_args(args)?;
    let text = |key: &str| -> Result<String, Error> {
        let value: Option<Value> = keywords.get(key)?;
        Ok(value
            .filter(|v| !v.is_none())
            .map(|v| v.to_string())
            .unwrap_or_default())
    };
    let message = text("message")?;
    let code = text("code")?;
    let rows = text("rows_affected")?;
    let name = match name {
        Some(name) => name.to_string(),
        None => text("name")?,
    };
    let _: Option<Value> = keywords.get("agate_table")?;
    keywords.assert_all_used()?;
    let mut result = result_of(
        Response {
            message,
            rows_affected: rows.parse().ok(),
            table: None,
        },
        true,
    );
    result.code = code;
    scope_of(state)?.store_result(&name, result);
    Ok(Value::from(""))
}

/// `load_result(name)`
///
/// # Errors
/// None of its own.
pub fn load_result(state: &mut State<'_, '_>, name: &str) -> Result<Value, Error> {
    Ok(scope_of(state)?
        .result(name)
        .map_or_else(|| Value::from(()), |result| result.value))
}

/// The database's answer: its text is the message.
#[derive(Debug)]
struct Answer {
    message: String,
    rows_affected: Option<u64>,
}

impl Object for Answer {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "_message" => Value::from(self.message.as_str()),
            "code" => Value::from(self.message.split(' ').next()),
            "rows_affected" => Value::from(self.rows_affected),
            _ => return None,
        })
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
