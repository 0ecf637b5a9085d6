//! The configuration that a node ends up with: project file by folder, then property file, then `config()` in the model.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::file::is_hook;
use super::properties::PropertyConfig;
use crate::profile::SESSION_KEYS;
use crate::yaml::{Entry, Kind, Location, Warning, Yaml, nearest};

/// Config keys of dbt and of dbt-risingwave 1.12.1, besides the session settings.
const KNOWN: [&str; 73] = [
    "access",
    "additive_schema_evolution",
    "alias",
    "always_retry_on_network_error",
    "async",
    "backfill_order",
    "background_ddl",
    "batch",
    "batch_size",
    "begin",
    "check_cols",
    "column_types",
    "concurrent_batches",
    "connector",
    "connector_parameters",
    "contract",
    "data_encode",
    "data_format",
    "database",
    "dbt_valid_to_current",
    "description",
    "docs",
    "enabled",
    "event_time",
    "format_parameters",
    "freshness",
    "full_refresh",
    "grants",
    "group",
    "hard_deletes",
    "incremental_predicates",
    "incremental_strategy",
    "indexes",
    "invalidate_hard_deletes",
    "language",
    "link",
    "loaded_at_field",
    "loaded_at_query",
    "lookback",
    "materialized",
    "meta",
    "on_configuration_change",
    "on_schema_change",
    "packages",
    "persist_docs",
    "post-hook",
    "post_hook",
    "pre-hook",
    "pre_hook",
    "predicates",
    "quote_columns",
    "quoting",
    "remote_name",
    "retention",
    "retention_seconds",
    "schema",
    "schema_authorization",
    "severity",
    "snapshot_meta_column_names",
    "sql_header",
    "static_analysis",
    "store_failures",
    "store_failures_as",
    "strategy",
    "subscription_options",
    "table_with_connector_add_columns",
    "tags",
    "target_database",
    "target_schema",
    "unique_key",
    "unlogged",
    "updated_at",
    "zero_downtime",
];

type Fits = fn(&Value) -> bool;

/// What values of dbt's keys must be. Those of `mapping` come before the keys in them.
const CHECKS: [(&str, &str, Fits); 22] = [
    (
        "materialized",
        "the name of a materialization",
        Value::is_string,
    ),
    ("enabled", TRUTH, is_truth),
    ("full_refresh", TRUTH, is_truth),
    ("alias", "text", is_plain),
    ("schema", "text", is_plain),
    ("database", "text", is_plain),
    ("group", "the name of a group", is_plain),
    ("tags", "text or a list of texts", is_texts),
    ("unique_key", "text or a list of texts", is_texts),
    ("meta", "a mapping", Value::is_object),
    ("grants", "a mapping", Value::is_object),
    ("persist_docs", "a mapping", Value::is_object),
    ("quoting", "a mapping", Value::is_object),
    ("column_types", "a mapping", Value::is_object),
    ("docs", "a mapping", Value::is_object),
    ("docs.show", TRUTH, is_truth),
    (
        "contract",
        "a mapping, `{enforced: true}`",
        Value::is_object,
    ),
    ("contract.enforced", TRUTH, is_truth),
    ("indexes", "a list", Value::is_array),
    (
        "on_configuration_change",
        "apply, continue or fail",
        |value| matches!(value.as_str(), Some("apply" | "continue" | "fail")),
    ),
    ("pre-hook", HOOKS, is_hooks),
    ("post-hook", HOOKS, is_hooks),
];

/// What values of the keys of data tests must be.
const TEST_CHECKS: [(&str, &str, Fits); 8] = [
    ("severity", "error or warn", |value| {
        let word = value.as_str().unwrap_or_default().to_lowercase();
        matches!(word.as_str(), "error" | "warn")
    }),
    ("limit", "a whole number", |value| {
        value.is_u64()
            || value
                .as_str()
                .is_some_and(|text| text.parse::<u64>().is_ok())
    }),
    ("store_failures", TRUTH, is_truth),
    (
        "store_failures_as",
        "table, view, materialized_view or ephemeral",
        Value::is_string,
    ),
    ("fail_calc", "an expression", is_plain),
    ("warn_if", "a comparison, `> 10`", is_plain),
    ("error_if", "a comparison, `> 10`", is_plain),
    ("where", "a condition", is_plain),
];

const TRUTH: &str = "true or false";

const HOOKS: &str = "text, `{sql: …, transaction: …}`, or a list of these";

fn is_truth(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::String(text) => ["true", "false"].contains(&text.to_lowercase().as_str()),
        _ => false,
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

fn is_texts(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_plain),
        value => is_plain(value) && !value.is_boolean(),
    }
}

fn is_hooks(value: &Value) -> bool {
    let is_hook = |hook: &Value| match hook {
        Value::Object(hook) => hook.get("sql").is_some_and(Value::is_string),
        hook => hook.is_string(),
    };
    match value {
        Value::Array(hooks) => hooks.iter().all(is_hook),
        hook => is_hook(hook),
    }
}

/// Whether dbt, dbt-risingwave or rwt reads this config key.
pub fn is_known_config(key: &str) -> bool {
    KNOWN.contains(&key) || SESSION_KEYS.contains(&key)
}

/// The known key that an unknown one is probably a slip of. A user's materialization may read keys of its own, so that
/// an unknown key which is near to none is fine.
pub fn near_config(key: &str) -> Option<&'static str> {
    if is_known_config(key) {
        return None;
    }
    nearest(key, KNOWN.into_iter().chain(SESSION_KEYS))
}

/// A node's configuration after all levels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResolvedConfig {
    /// Values by key, in the order in which the keys first appear. Hooks are lists under `pre-hook` and `post-hook`,
    /// tags a sorted list; keys that no level sets are absent.
    pub values: IndexMap<String, Value>,
}

impl ResolvedConfig {
    /// Text of a key, unless it is null.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }

    /// `enabled`, true where nothing is said.
    pub fn enabled(&self) -> bool {
        match self.values.get("enabled") {
            Some(Value::Bool(enabled)) => *enabled,
            Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
            _ => true,
        }
    }

    /// A key of dbt's whose value has a type that cannot be meant, and what is expected there. A key of a mapping has a dot.
    /// `is_test` tells data tests, which have keys of their own.
    pub fn wrong_type(&self, is_test: bool) -> Option<(&'static str, &'static str, &Value)> {
        let own = TEST_CHECKS.into_iter().filter(|_| is_test);
        CHECKS
            .into_iter()
            .chain(own)
            .find_map(|(key, expected, fits)| {
                let value = match key.split_once('.') {
                    Some((key, inner)) => self.values.get(key)?.get(inner)?,
                    None => self.values.get(key)?,
                };
                (!value.is_null() && !fits(value)).then_some((key, expected, value))
            })
    }

    /// `materialized`, `view` where nothing is said, as in dbt.
    pub fn materialized(&self) -> &str {
        self.text("materialized").unwrap_or("view")
    }

    /// `tags` of all levels.
    pub fn tags(&self) -> IndexSet<String> {
        let tags = self.values.get("tags").map(as_list).unwrap_or_default();
        tags.iter().map(as_text).collect()
    }

    /// Lays one more level over the ones so far, by dbt's rules: tags, packages and hooks accumulate; `meta`, `docs`,
    /// `quoting`, `column_types` and `contract` are merged by key; `grants` too, where a key with `+` adds to what is
    /// there; anything else is replaced.
    pub fn lay(&mut self, key: &str, value: Value) {
        let key = match key {
            "pre_hook" => "pre-hook",
            "post_hook" => "post-hook",
            other => other,
        };
        let slot = self.values.entry(key.to_owned());
        match key {
            // What cannot be meant is kept as it is, so that it can be told.
            "tags" if !is_texts(&value) && !value.is_null() => {
                slot.insert_entry(value);
            }
            "tags" | "packages" => {
                let slot = slot.or_insert_with(|| Value::Array(Vec::new()));
                let mut all = as_list(slot);
                all.extend(as_list(&value));
                *slot = all.iter().map(as_text).collect();
            }
            "pre-hook" | "post-hook" => {
                let slot = slot.or_insert_with(|| Value::Array(Vec::new()));
                let mut all = as_list(slot);
                all.extend(as_list(&value).into_iter().map(hook));
                *slot = Value::Array(all);
            }
            "meta" | "docs" | "quoting" | "column_types" | "contract" => {
                let slot = slot.or_insert(Value::Null);
                match (slot, value) {
                    (Value::Object(so_far), Value::Object(more)) => so_far.extend(more),
                    (slot, value) => *slot = value,
                }
            }
            "grants" => lay_grants(slot.or_insert(Value::Null), value),
            _ => {
                slot.insert_entry(value);
            }
        }
    }
}

/// A hook, where it is the text of one: `before_begin(…)` and `after_commit(…)` give JSON.
fn hook(value: Value) -> Value {
    let given = value.as_str().filter(|text| text.starts_with('{'));
    let read = given.and_then(|text| serde_json::from_str::<Value>(text).ok());
    read.filter(|read| read.get("sql").is_some())
        .unwrap_or(value)
}

fn lay_grants(slot: &mut Value, value: Value) {
    let Value::Object(more) = value else {
        *slot = value;
        return;
    };
    if !slot.is_object() {
        *slot = Value::Object(serde_json::Map::new());
    }
    let Value::Object(so_far) = slot else { return };
    for (key, grantees) in more {
        let mut grantees = as_list(&grantees);
        let (key, adds) = match key.strip_prefix('+') {
            Some(key) => (key.to_owned(), true),
            None => (key, false),
        };
        if adds && let Some(before) = so_far.get(&key) {
            let mut all = as_list(before);
            all.append(&mut grantees);
            grantees = all;
        }
        so_far.insert(key, Value::Array(grantees));
    }
}

fn as_list(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        other => vec![other.clone()],
    }
}

fn as_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A config key of a level of the project file's tree, or none if it is a folder's name. dbt's rule: a key with `+` is
/// config; one without is config unless its value is a mapping.
fn config_key<'k>(key: &'k str, value: &Yaml) -> Option<&'k str> {
    match key.strip_prefix('+') {
        Some(key) => Some(key.trim()),
        None if value.as_map().is_some() => None,
        None => Some(key),
    }
}

/// Resolves the levels that apply to `fqn`, from the least to the most specific. `trees` are the folder configs of the
/// project files, the strongest last.
pub(super) fn resolve(
    trees: &[&Yaml],
    fqn: &[String],
    property: Option<&PropertyConfig>,
    in_file: &IndexMap<String, Value>,
) -> ResolvedConfig {
    let mut resolved = ResolvedConfig::default();
    for tree in trees {
        let mut level = Some(*tree);
        let mut steps = fqn.iter();
        while let Some(map) = level.and_then(Yaml::as_map) {
            for (key, entry) in map {
                if let Some(key) = config_key(key, &entry.value) {
                    resolved.lay(key, entry.value.to_value());
                }
            }
            level = steps.next().and_then(|step| Some(&map.get(step)?.value));
        }
    }
    for (key, (value, _)) in property.into_iter().flatten() {
        resolved.lay(key, value.clone());
    }
    for (key, value) in in_file {
        resolved.lay(key, value.clone());
    }
    resolved
}

/// Warnings for the project file's tree: keys near to known ones, and folders that hold no node. `what` is the tree's
/// key, `models` or `sources`.
pub(super) fn check_tree<'f>(
    what: &str,
    tree: &Yaml,
    fqns: impl Iterator<Item = &'f [String]> + Clone,
    warnings: &mut Vec<Warning>,
) {
    let mut walk = TreeCheck {
        what,
        fqns: fqns.map(<[String]>::to_vec).collect(),
        warnings,
    };
    walk.level(tree, &mut Vec::new());
}

struct TreeCheck<'w> {
    what: &'w str,
    fqns: Vec<Vec<String>>,
    warnings: &'w mut Vec<Warning>,
}

impl TreeCheck<'_> {
    fn level(&mut self, tree: &Yaml, path: &mut Vec<String>) {
        let Some(map) = tree.as_map() else { return };
        for (key, entry) in map {
            if let Some(config) = config_key(key, &entry.value) {
                check_key(config, &entry.key, self.warnings);
                continue;
            }
            path.push(key.clone());
            if self.fqns.iter().any(|fqn| fqn.starts_with(path)) {
                self.level(&entry.value, path);
            } else {
                let warning = self.unused(key, entry, path);
                self.warnings.push(warning);
            }
            path.pop();
        }
    }

    fn unused(&self, key: &str, entry: &Entry, path: &[String]) -> Warning {
        let parent = &path[..path.len() - 1];
        let siblings: BTreeSet<&str> = self
            .fqns
            .iter()
            .filter(|fqn| fqn.starts_with(parent))
            .filter_map(|fqn| fqn.get(parent.len()))
            .map(String::as_str)
            .collect();
        let help = if is_known_config(key) {
            format!("`{key}` is a config: write `+{key}`, so that it is not taken for a folder")
        } else if let Some(near) = nearest(key, siblings.iter().copied()) {
            format!("did you mean `{near}`?")
        } else if siblings.is_empty() {
            "there are no nodes here".to_owned()
        } else {
            let names: Vec<&str> = siblings.iter().copied().take(10).collect();
            format!("folders and nodes here: {}", names.join(", "))
        };
        Warning::UnusedConfigPath {
            path: entry.key.file().path().display().to_string(),
            key: format!("{}.{}", self.what, path.join(".")),
            help,
            file: Arc::clone(entry.key.file()),
            at: entry.key.span(),
        }
    }
}

/// A warning if the key is a slip of a known one.
pub(super) fn check_key(key: &str, at: &Location, warnings: &mut Vec<Warning>) {
    if let Some(near) = near_config(key) {
        warnings.push(Warning::UnknownConfig {
            path: at.file().path().display().to_string(),
            key: key.to_owned(),
            help: format!("did you mean `{near}`?"),
            file: Arc::clone(at.file()),
            at: at.span(),
        });
    }
}

/// The entries of a `config:` mapping, keys without `+`.
pub(super) fn entries(yaml: &Yaml) -> PropertyConfig {
    let Kind::Map(map) = &yaml.kind else {
        return PropertyConfig::new();
    };
    map.iter()
        .map(|(key, entry)| {
            let key = if is_hook(key) {
                key.replace('_', "-")
            } else {
                key.clone()
            };
            let key = key.trim_start_matches('+').to_owned();
            (key, (entry.value.to_value(), entry.key.clone()))
        })
        .collect()
}
