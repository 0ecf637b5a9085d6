//! `adapter`: what dbt's macros ask of the database adapter.

use std::sync::Arc;

use minijinja::value::{Kwargs, Object, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Error, State, Value};
use rwt_project::yaml::nearest;
use rwt_sql::{Ident, Literal};
use serde_json::Value as Json;

use super::collections::list;
use super::column::Column;
use super::error::raise;
use super::macros::MacroValue;
use super::relation::Relation;
use super::scope::{Phase, Scope, scope_of};
use super::statement::{execute, find_relation, is_live};
use crate::materialize::drop_statement;

/// `adapter`
#[derive(Debug)]
pub struct Adapter(pub Arc<Scope>);

/// `adapter.behavior`: what the project's `flags` say of dbt's and the adapters' changes of behaviour.
#[derive(Debug)]
struct Behavior(Arc<Scope>);

impl Object for Behavior {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let flags = &self.0.shared.project_flags;
        let is_on = flags.get(key.as_str()?).and_then(Json::as_bool);
        Some(Value::from_object(BehaviorFlag(is_on.unwrap_or(false))))
    }
}

/// One of them; `no_warn` asks without a deprecation warning, which rwt does not give anyway.
#[derive(Debug)]
struct BehaviorFlag(bool);

impl Object for BehaviorFlag {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        matches!(key.as_str()?, "no_warn" | "setting").then(|| Value::from(self.0))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.0
    }
}

/// What RisingWave can do, as dbt-risingwave 1.12.1 says.
const STRATEGIES: [&str; 3] = ["append", "delete+insert", "microbatch"];

/// Strategies that dbt has for databases that can do them.
const OTHER_STRATEGIES: [&str; 2] = ["merge", "insert_overwrite"];

const METHODS: [&str; 29] = [
    "already_exists",
    "cache_added",
    "cache_dropped",
    "cache_renamed",
    "check_schema_exists",
    "commit",
    "convert_type",
    "create_schema",
    "dispatch",
    "drop_relation",
    "drop_schema",
    "expand_target_column_types",
    "get_column_schema_from_query",
    "get_columns_in_relation",
    "get_hard_deletes_behavior",
    "get_incremental_strategy_macro",
    "get_missing_columns",
    "get_relation",
    "nice_connection_name",
    "parse_index",
    "quote",
    "quote_as_configured",
    "quote_seed_column",
    "rename_relation",
    "sleep",
    "truncate_relation",
    "type",
    "valid_incremental_strategies",
    "verify_database",
];

impl Object for Adapter {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "Relation" => Some(Relation::new("", "", "").value()),
            "Column" => Some(super::functions::column_class()),
            "behavior" => Some(Value::from_object(Behavior(Arc::clone(&self.0)))),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let nothing = Ok(Value::from(""));
        match method {
            "dispatch" => dispatch(state, args),
            "type" => Ok(Value::from("risingwave")),
            "quote" => {
                let (name,): (String,) = from_args(args)?;
                Ok(Value::from(Ident::new(name).quoted()))
            }
            "quote_seed_column" => {
                let (name, quote): (String, Option<Value>) = from_args(args)?;
                let quote = quote.filter(|quote| !quote.is_none() && !quote.is_undefined());
                Ok(Value::from(
                    match quote.is_none_or(|quote| quote.is_true()) {
                        true => Ident::new(name).quoted(),
                        false => name,
                    },
                ))
            }
            "get_hard_deletes_behavior" => hard_deletes(&*scope_of(state)?),
            "quote_as_configured" => {
                let (name, _rest): (String, Rest<ValueOrKwargs>) = from_args(args)?;
                Ok(Value::from(Ident::new(name).quoted()))
            }
            "get_relation" => get_relation(state, args),
            "already_exists" => {
                let (schema, name): (String, String) = from_args(args)?;
                let relation = Relation::new("", &schema, &name);
                let found = find_relation(&*scope_of(state)?, &relation)?;
                Ok(Value::from(!found.is_none()))
            }
            "valid_incremental_strategies" => Ok(list(STRATEGIES.map(Value::from))),
            "get_incremental_strategy_macro" => strategy(state, args),
            "nice_connection_name" => Ok(Value::from("main")),
            "convert_type" => {
                let (table, column): (Value, usize) = from_args(args)?;
                Ok(Value::from(super::table::sql_type(&table, column)))
            }
            "get_missing_columns" => {
                let (from, to): (Value, Value) = from_args(args)?;
                let known = columns(state, &*Relation::from_value(&to)?)?;
                let names = known.try_iter()?.map(|column| column.get_attr("name"));
                let names = names.collect::<Result<Vec<_>, _>>()?;
                let all = columns(state, &*Relation::from_value(&from)?)?;
                let new = all.try_iter()?.filter(|column| {
                    column
                        .get_attr("name")
                        .is_ok_and(|name| !names.contains(&name))
                });
                Ok(list(new))
            }
            "get_column_schema_from_query" => super::contract::column_schema(state, args),
            "get_columns_in_relation" => {
                let (relation,): (Value,) = from_args(args)?;
                columns(state, &*Relation::from_value(&relation)?)
            }
            "drop_relation" => {
                let (relation,): (Value,) = from_args(args)?;
                let relation = Relation::from_value(&relation)?;
                let kind = relation.kind.as_deref().unwrap_or("table");
                run(state, &drop_statement(kind, &relation.to_string()))
            }
            "rename_relation" => {
                let (from, to): (Value, Value) = from_args(args)?;
                let (from, to) = (Relation::from_value(&from)?, Relation::from_value(&to)?);
                let kind = from.kind.as_deref().unwrap_or("table").replace('_', " ");
                let kind = if kind == "materializedview" {
                    "materialized view"
                } else {
                    &kind
                };
                let name = Ident::new(to.identifier.clone().unwrap_or_default()).quoted();
                run(state, &format!("alter {kind} {from} rename to {name}"))
            }
            "truncate_relation" => {
                let (relation,): (Value,) = from_args(args)?;
                run(
                    state,
                    &format!("delete from {}", Relation::from_value(&relation)?),
                )
            }
            "create_schema" | "drop_schema" => {
                let (relation,): (Value,) = from_args(args)?;
                let relation = Relation::from_value(&relation)?;
                let schema = Ident::new(relation.schema.clone().unwrap_or_default()).quoted();
                let sql = match method {
                    "create_schema" => format!("create schema if not exists {schema}"),
                    _ => format!("drop schema if exists {schema}"),
                };
                run(state, &sql)
            }
            "check_schema_exists" => {
                let (_, schema): (Value, String) = from_args(args)?;
                let sql = format!(
                    "select 1 from rw_catalog.rw_schemas where name = {}",
                    Literal::Text(&schema)
                );
                let scope = scope_of(state)?;
                let (response, _) = execute(&scope, &sql)?;
                Ok(Value::from(
                    response.table.is_some_and(|table| !table.rows.is_empty()),
                ))
            }
            "parse_index" => {
                let (index,): (Value,) = from_args(args)?;
                parse_index(index)
            }
            // Nothing is cached, and every statement stands for itself.
            "commit"
            | "cache_added"
            | "cache_dropped"
            | "cache_renamed"
            | "verify_database"
            | "expand_target_column_types" => nothing,
            "sleep" => {
                let (seconds,): (f64,) = from_args(args)?;
                let scope = scope_of(state)?;
                if is_live(&scope) && scope.phase != Phase::Parse && seconds > 0.0 {
                    std::thread::sleep(std::time::Duration::from_secs_f64(seconds.min(3600.0)));
                }
                nothing
            }
            _ => Err(raise(
                "rwt::jinja::adapter",
                format!("there is no adapter.{method}()"),
                nearest(method, METHODS).map(|near| format!("did you mean adapter.{near}()?")),
            )),
        }
    }
}

fn run(state: &State<'_, '_>, sql: &str) -> Result<Value, Error> {
    let scope = scope_of(state)?;
    if scope.phase != Phase::Parse {
        execute(&scope, sql)?;
    }
    Ok(Value::from(""))
}

/// `adapter.dispatch('name', 'package')`: the macro with the most specific prefix.
fn dispatch(state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let (name, package, keywords): (Option<String>, Option<String>, Kwargs) = from_args(args)?;
    let name = match name {
        Some(name) => name,
        None => keywords.get::<String>("macro_name")?,
    };
    let named: Option<String> = keywords.get("macro_namespace")?;
    let _: Option<Value> = keywords.get("packages")?;
    keywords.assert_all_used()?;
    let scope = scope_of(state)?;
    let package = package.or(named);
    scope
        .shared
        .macros
        .dispatch(&name, package.as_deref())
        .map(MacroValue::value)
        .ok_or_else(|| {
            raise(
                "rwt::jinja::unknown_macro",
                format!("there is no macro `{name}` to dispatch to"),
                Some(format!(
                    "write a macro named default__{name} or risingwave__{name}"
                )),
            )
        })
}

/// The macro of an incremental strategy, the project's own ones included.
fn strategy(state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let (_context, name): (Value, Option<String>) = from_args(args)?;
    let name = name.unwrap_or_else(|| "default".to_owned());
    let macros = &scope_of(state)?.shared.macros;
    let wanted = format!("get_incremental_{}_sql", name.replace('+', "_"));
    if let Some(definition) = macros.find(&wanted) {
        return Ok(MacroValue::value(definition));
    }
    if OTHER_STRATEGIES.contains(&name.as_str()) {
        return Err(raise(
            "rwt::jinja::incremental_strategy",
            format!("The incremental strategy '{name}' is not valid for this adapter"),
            Some(format!(
                "append, delete+insert and microbatch are, and what a macro {wanted} of the project does"
            )),
        ));
    }
    Err(raise(
        "rwt::jinja::incremental_strategy",
        format!(
            "dbt could not find an incremental strategy macro with the name \"{wanted}\" in {}",
            scope_of(state)?.shared.project_name
        ),
        Some(format!(
            "write the macro {wanted}, or use append, delete+insert or microbatch"
        )),
    ))
}

/// What becomes of a snapshot's rows that are gone: `hard_deletes`, or its older form.
fn hard_deletes(scope: &Scope) -> Result<Value, Error> {
    let given = |key: &str| scope.config_value(key).filter(|value| !value.is_null());
    let older = given("invalidate_hard_deletes");
    let said = given("hard_deletes");
    let wrong = |message: &str| raise("rwt::jinja::hard_deletes", message, None);
    if older.is_some() && said.is_some() {
        return Err(wrong(
            "You cannot set both the invalidate_hard_deletes and hard_deletes config properties on the same snapshot.",
        ));
    }
    let word = match (older, said.as_ref().map(|said| said.as_str())) {
        (Some(Json::Bool(true)), _) => "invalidate",
        (_, None | Some(Some("ignore"))) => "ignore",
        (_, Some(Some("invalidate"))) => "invalidate",
        (_, Some(Some("new_record"))) => "new_record",
        _ => {
            return Err(wrong(
                "Invalid setting for property hard_deletes: ignore, invalidate or new_record is expected",
            ));
        }
    };
    Ok(Value::from(word))
}

fn get_relation(state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let (database, schema, identifier, keywords): (
        Option<String>,
        Option<String>,
        Option<String>,
        Kwargs,
    ) = from_args(args)?;
    let text = |given: Option<String>, key: &str| -> Result<String, Error> {
        let named: Option<String> = keywords.get(key)?;
        Ok(given.or(named).unwrap_or_default())
    };
    let relation = Relation::new(
        &text(database, "database")?,
        &text(schema, "schema")?,
        &text(identifier, "identifier")?,
    );
    keywords.assert_all_used()?;
    find_relation(&*scope_of(state)?, &relation)
}

/// Name and type of a relation's columns, in order.
pub(super) fn columns(state: &State<'_, '_>, relation: &Relation) -> Result<Value, Error> {
    let scope = scope_of(state)?;
    if scope.phase == Phase::Parse {
        return Ok(list([]));
    }
    let sql = format!(
        "select column_name, data_type from information_schema.columns \
         where table_schema = {} and table_name = {} order by ordinal_position",
        Literal::Text(relation.schema.as_deref().unwrap_or_default()),
        Literal::Text(relation.identifier.as_deref().unwrap_or_default()),
    );
    let (response, _) = execute(&scope, &sql)?;
    let rows = response.table.unwrap_or_default().rows;
    Ok(list(rows.iter().map(|row| {
        let text = |i: usize| {
            Value::from(
                row.get(i)
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default(),
            )
        };
        Column {
            name: text(0).to_string(),
            data_type: text(1).to_string(),
            ..Column::default()
        }
        .value()
    })))
}

/// An entry of `indexes`, which is a mapping with the list `columns`.
fn parse_index(index: Value) -> Result<Value, Error> {
    let is_list = |key: &str, needed: bool| {
        index.get_attr(key).is_ok_and(|value| {
            let absent = value.is_undefined() || value.is_none();
            (absent && !needed) || (value.kind() == ValueKind::Seq && value.len() != Some(0))
        })
    };
    if index.kind() == ValueKind::Map && is_list("columns", true) {
        return Ok(index);
    }
    Err(raise(
        "rwt::jinja::index",
        format!("{index} is no index: it has no list `columns`"),
        Some("write indexes=[{'columns': ['a', 'b'], 'include': ['c']}]".to_owned()),
    ))
}
