//! The configuration of a node as dbt writes it: every key that dbt knows for its kind, with dbt's default where nothing
//! is said, and then the project's own keys.

use std::sync::LazyLock;

use rwt_project::manifest::{Node, ResourceType};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

type Defaults = Map<String, Value>;

fn keys(parts: &[Value]) -> Defaults {
    let maps = parts.iter().filter_map(Value::as_object);
    maps.flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What nodes and tests have.
fn any() -> Value {
    json!({
        "enabled": true, "alias": null, "schema": null, "database": null, "tags": [], "meta": {}, "group": null,
        "static_analysis": null, "materialized": "view",
    })
}

/// What nodes have besides.
fn of_nodes() -> Value {
    json!({
        "incremental_strategy": null, "batch_size": null, "lookback": 1, "begin": null, "persist_docs": {},
        "post-hook": [], "pre-hook": [], "quoting": {}, "column_types": {}, "full_refresh": null, "unique_key": null,
        "on_schema_change": "ignore", "on_configuration_change": "apply", "grants": {}, "packages": [],
        "docs": {"show": true, "node_color": null}, "contract": {"enforced": false, "alias_types": true},
        "event_time": null, "concurrent_batches": null,
    })
}

static OPERATION: LazyLock<Defaults> = LazyLock::new(|| keys(&[any(), of_nodes()]));

static MODEL: LazyLock<Defaults> = LazyLock::new(|| {
    let own = json!({
        "access": "protected", "freshness": null, "on_error": null,
        "latest_version_pointer": {"enabled": null, "alias": null},
    });
    keys(&[any(), of_nodes(), own])
});

static SEED: LazyLock<Defaults> = LazyLock::new(|| {
    let own = json!({"delimiter": ",", "quote_columns": null});
    keys(&[any(), of_nodes(), own])
});

static SNAPSHOT: LazyLock<Defaults> = LazyLock::new(|| {
    let columns = json!({
        "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null,
        "dbt_is_deleted": null,
    });
    let own = json!({
        "strategy": null, "target_schema": null, "target_database": null, "updated_at": null, "check_cols": null,
        "snapshot_meta_column_names": columns, "dbt_valid_to_current": null,
    });
    keys(&[any(), of_nodes(), own])
});

static FUNCTION: LazyLock<Defaults> = LazyLock::new(|| {
    let own = json!({
        "type": "scalar", "volatility": null, "runtime_version": null, "entry_point": null,
        "snowflake": {"quote_args": true},
    });
    keys(&[any(), of_nodes(), own])
});

static TEST: LazyLock<Defaults> = LazyLock::new(|| {
    let own = json!({
        "schema": "dbt_test__audit", "severity": "ERROR", "store_failures": null, "store_failures_as": null,
        "sql_header": null, "where": null, "limit": null, "fail_calc": "count(*)", "warn_if": "!= 0",
        "error_if": "!= 0",
    });
    keys(&[any(), own])
});

static SOURCE: LazyLock<Defaults> = LazyLock::new(|| {
    let threshold = json!({"count": null, "period": null});
    keys(&[json!({
        "enabled": true, "event_time": null,
        "freshness": {"warn_after": threshold, "error_after": threshold, "filter": null},
        "loaded_at_field": null, "loaded_at_query": null, "meta": {}, "tags": [], "static_analysis": null,
    })])
});

static EXPOSURE: LazyLock<Defaults> =
    LazyLock::new(|| keys(&[json!({"enabled": true, "tags": [], "meta": {}})]));

static UNIT_TEST: LazyLock<Defaults> = LazyLock::new(|| {
    keys(&[json!({"enabled": true, "tags": [], "meta": {}, "static_analysis": null})])
});

/// dbt's keys and defaults for a kind of node.
fn defaults(kind: ResourceType) -> &'static Defaults {
    match kind {
        ResourceType::Model => &MODEL,
        ResourceType::Source => &SOURCE,
        ResourceType::Seed => &SEED,
        ResourceType::Test => &TEST,
        ResourceType::Function => &FUNCTION,
        ResourceType::Snapshot => &SNAPSHOT,
        ResourceType::Exposure => &EXPOSURE,
        ResourceType::UnitTest => &UNIT_TEST,
    }
}

/// See the module.
pub(super) struct ConfigJson<'a> {
    node: &'a Node,
    defaults: &'static Defaults,
}

/// The configuration of a node as the manifest has it.
pub fn configuration(node: &Node) -> Value {
    // Its keys are texts and its values are JSON.
    serde_json::to_value(ConfigJson::of(node)).unwrap_or_default()
}

impl<'a> ConfigJson<'a> {
    /// The configuration of a node.
    pub fn of(node: &'a Node) -> Self {
        Self {
            node,
            defaults: defaults(node.resource_type),
        }
    }

    /// The configuration of a hook of the project file.
    pub fn of_operation(node: &'a Node) -> Self {
        Self {
            node,
            defaults: &OPERATION,
        }
    }

    /// A value, dbt's default where nothing is said.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        let given = self.node.config.get(key).filter(|value| !value.is_null());
        given.or_else(|| self.defaults.get(key))
    }

    /// A value of a mapping, for example `contract.enforced`.
    pub fn is_true(&self, key: &str, inner: &str) -> bool {
        let value = self.get(key).and_then(|value| value.get(inner));
        value.is_some_and(|value| value.as_bool() == Some(true))
    }

    /// `docs`, complete.
    pub fn docs(&self) -> Value {
        match (self.get("docs"), MODEL.get("docs")) {
            (Some(Value::Object(given)), Some(default)) => completed(given, default),
            (_, default) => default.cloned().unwrap_or_default(),
        }
    }
}

impl Serialize for ConfigJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let node = self.node;
        let mut map = serializer.serialize_map(None)?;
        for (key, default) in self.defaults {
            let given = node.config.get(key).filter(|value| !value.is_null());
            map.serialize_key(key)?;
            match (key.as_str(), given) {
                ("enabled", _) => map.serialize_value(&node.enabled)?,
                // Where a table says null, dbt keeps it.
                ("freshness", None) if node.config.contains_key(key) => {
                    map.serialize_value(&Value::Null)?;
                }
                ("materialized", _) if !node.materialized.is_empty() => {
                    map.serialize_value(&node.materialized)?;
                }
                ("pre-hook" | "post-hook", Some(hooks)) => map.serialize_value(&as_hooks(hooks))?,
                ("tags" | "packages", Some(Value::String(one))) => map.serialize_value(&[one])?,
                (_, Some(Value::Object(given))) if is_whole(key) => {
                    map.serialize_value(&completed(given, default))?;
                }
                (_, Some(value)) => map.serialize_value(value)?,
                (_, None) => map.serialize_value(default)?,
            }
        }
        for (key, value) in &node.config {
            if !self.defaults.contains_key(key) {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

/// Mappings that dbt writes with all of their keys.
fn is_whole(key: &str) -> bool {
    matches!(
        key,
        "docs"
            | "contract"
            | "freshness"
            | "latest_version_pointer"
            | "snapshot_meta_column_names"
            | "snowflake"
    )
}

/// The keys of `default`, with what is given, and whatever else is given.
pub(super) fn completed(given: &Map<String, Value>, default: &Value) -> Value {
    let mut all = default.as_object().cloned().unwrap_or_default();
    for (key, value) in given {
        match (all.get(key), value) {
            (Some(inner @ Value::Object(_)), Value::Object(given)) => {
                let inner = completed(given, inner);
                all.insert(key.clone(), inner);
            }
            _ => {
                all.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(all)
}

/// `freshness` of a source, complete.
pub(super) fn freshness(given: Option<&Value>) -> Value {
    let default = SOURCE.get("freshness").cloned().unwrap_or_default();
    match given {
        Some(Value::Object(given)) => completed(given, &default),
        Some(Value::Null) => Value::Null,
        _ => default,
    }
}

/// Hooks as dbt keeps them.
fn as_hooks(hooks: &Value) -> Vec<Value> {
    let one = std::slice::from_ref(hooks);
    let hooks = hooks.as_array().map_or(one, Vec::as_slice);
    let hook = |hook: &Value| match hook {
        Value::Object(given) => completed(
            given,
            &json!({"sql": "", "transaction": true, "index": null}),
        ),
        text => json!({"sql": text, "transaction": true, "index": null}),
    };
    hooks.iter().map(hook).collect()
}
