//! `config`: called in a model it configures the node; `config.get` and `config.require` read what the node has.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::collections::{dict, from_json, pairs_of, to_json};
use super::error::raise;
use super::scope::{Phase, Scope, config_key};

/// `config`
pub struct ConfigValue(Arc<Scope>);

impl fmt::Debug for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("config")
    }
}

impl ConfigValue {
    /// `config` of a rendering.
    pub fn value(scope: &Arc<Scope>) -> Value {
        Value::from_object(Self(Arc::clone(scope)))
    }

    fn set(&self, args: &[Value]) -> Result<(), Error> {
        let mut pairs = Vec::new();
        for arg in args {
            pairs.extend(pairs_of(arg).map_err(|_| {
                raise(
                    "rwt::jinja::config",
                    "config() takes keyword arguments or a dictionary",
                    Some("for example config(materialized='view')".to_owned()),
                )
            })?);
        }
        if self.0.phase != Phase::Parse {
            return Ok(());
        }
        for (key, value) in pairs {
            let key = key.as_str().map(config_key).ok_or_else(|| {
                raise(
                    "rwt::jinja::config",
                    "a configuration key must be a string",
                    None,
                )
            })?;
            let value = to_json(&value)?;
            self.0
                .capture(|captured| merge(&mut captured.config, key, value));
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Option<Value> {
        if key == "snapshot_table_column_names" {
            return self.snapshot_columns();
        }
        self.0.config_value(key).map(|value| from_json(&value))
    }
}

impl ConfigValue {
    /// What the columns that a snapshot adds are called: `snapshot_meta_column_names`, complete.
    fn snapshot_columns(&self) -> Option<Value> {
        const COLUMNS: [&str; 5] = [
            "dbt_valid_from",
            "dbt_valid_to",
            "dbt_scd_id",
            "dbt_updated_at",
            "dbt_is_deleted",
        ];
        let node = self.0.node.as_ref()?;
        if node.materialized != "snapshot" {
            return None;
        }
        let own = self.0.config_value("snapshot_meta_column_names");
        let name = |column: &str| own.as_ref()?.get(column)?.as_str().map(str::to_owned);
        Some(dict(COLUMNS.map(|column| {
            let name = name(column).unwrap_or_else(|| column.to_owned());
            (Value::from(column), Value::from(name))
        })))
    }
}

/// A second `config()` call adds to tags and hooks and replaces everything else, as in dbt.
fn merge(config: &mut indexmap::IndexMap<String, Json>, key: String, value: Json) {
    let additive = matches!(key.as_str(), "tags" | "pre-hook" | "post-hook");
    match config.get_mut(&key) {
        Some(before) if additive => {
            let mut all = as_list(before.take());
            all.extend(as_list(value));
            *before = Json::Array(all);
        }
        _ => {
            config.insert(key, value);
        }
    }
}

fn as_list(value: Json) -> Vec<Json> {
    match value {
        Json::Array(items) => items,
        Json::Null => Vec::new(),
        other => vec![other],
    }
}

impl Object for ConfigValue {
    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.set(args)?;
        Ok(Value::from(""))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "get" => {
                let (key, default, keywords): (String, Option<Value>, Kwargs) = from_args(args)?;
                let named: Option<Value> = keywords.get("default")?;
                let _: Option<Value> = keywords.get("validator")?;
                keywords.assert_all_used()?;
                Ok(self
                    .get(&key)
                    .filter(|value| !value.is_none())
                    .or(default)
                    .or(named)
                    .unwrap_or_else(|| Value::from(())))
            }
            "require" => {
                let (key, _keywords): (String, Kwargs) = from_args(args)?;
                self.get(&key).ok_or_else(|| {
                    let node = self.0.node.as_ref();
                    let name = node.map_or("this node", |node| node.name.as_str());
                    let materialized = node.map_or("", |node| node.materialized.as_str());
                    raise(
                        "rwt::jinja::config_required",
                        format!("{name} has no config `{key}`, which the materialization `{materialized}` needs"),
                        Some(format!("add it to the model: config({key}=...)")),
                    )
                })
            }
            "set" => {
                let (key, value): (String, Value) = from_args(args)?;
                self.set(&[dict([(Value::from(key), value)])])?;
                Ok(Value::from(""))
            }
            "persist_relation_docs" | "persist_column_docs" => {
                let part = if method == "persist_relation_docs" {
                    "relation"
                } else {
                    "columns"
                };
                let docs = self.0.config_value("persist_docs");
                Ok(Value::from(
                    docs.and_then(|docs| docs.get(part).and_then(Json::as_bool))
                        .unwrap_or(false),
                ))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?)
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}
