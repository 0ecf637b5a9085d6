//! Configuration that decides how a change is made, in dbt-risingwave's words.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::{AdditiveColumn, ChangeConfig, OnConfigurationChange, OnSchemaChange};

/// A node's configuration, as far as it decides how the node is changed. Words that dbt does not know count as the
/// default.
pub(super) fn change_config(config: &IndexMap<String, Value>) -> ChangeConfig {
    let word = |key: &str| config.get(key).and_then(Value::as_str);
    let zero_downtime = config.get("zero_downtime");
    let part = |key: &str| {
        zero_downtime
            .and_then(|value| value.get(key))
            .and_then(truth)
    };
    let columns = config
        .get("additive_schema_evolution")
        .or_else(|| config.get("table_with_connector_add_columns"));
    ChangeConfig {
        on_configuration_change: match word("on_configuration_change") {
            Some("continue") => OnConfigurationChange::Continue,
            Some("fail") => OnConfigurationChange::Fail,
            _ => OnConfigurationChange::Apply,
        },
        on_schema_change: match word("on_schema_change") {
            Some("ignore") => Some(OnSchemaChange::Ignore),
            Some("append_new_columns") => Some(OnSchemaChange::AppendNewColumns),
            Some("fail") => Some(OnSchemaChange::Fail),
            _ => None,
        },
        additive_columns: columns
            .and_then(Value::as_array)
            .map(|columns| columns.iter().filter_map(additive_column).collect())
            .unwrap_or_default(),
        zero_downtime: zero_downtime.and_then(truth).or_else(|| part("enabled")),
        immediate_cleanup: part("immediate_cleanup"),
        full_refresh: config.get("full_refresh").and_then(truth),
        move_snapshot: config.get("move_snapshot").and_then(truth),
        incremental_strategy: word("incremental_strategy").map(str::to_owned),
        unique_key: config.get("unique_key").map(columns_of).unwrap_or_default(),
        lint_ignore: config.get("lint_ignore").map(words).unwrap_or_default(),
    }
}

/// A list of words, or words between commas.
pub(super) fn words(value: &Value) -> BTreeSet<String> {
    let texts: Vec<&str> = match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::String(text) => text.split(',').collect(),
        _ => Vec::new(),
    };
    texts
        .into_iter()
        .map(|text| text.trim().to_owned())
        .collect()
}

/// A column, or a list of them.
fn columns_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn additive_column(value: &Value) -> Option<AdditiveColumn> {
    let text = |key: &str| match value.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Null) | None => None,
        Some(other) => Some(other.to_string()),
    };
    let nullable = value.get("nullable").and_then(truth).unwrap_or(true);
    let not_null = value.get("not_null").and_then(truth).unwrap_or(!nullable);
    Some(AdditiveColumn {
        name: text("name").or_else(|| text("column"))?,
        data_type: text("data_type").or_else(|| text("type"))?,
        default: text("default"),
        not_null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dbt_risingwaves_words_are_known() {
        let config: IndexMap<String, Value> = serde_json::from_value(json!({
            "on_configuration_change": "continue",
            "on_schema_change": "append_new_columns",
            "additive_schema_evolution": [{"name": "c", "data_type": "int", "default": 0, "not_null": true}],
            "zero_downtime": {"enabled": true, "immediate_cleanup": "false"},
            "full_refresh": false,
        }))
        .expect("a configuration");
        let read = change_config(&config);
        assert_eq!(
            read.on_configuration_change,
            OnConfigurationChange::Continue
        );
        assert_eq!(
            read.on_schema_change,
            Some(OnSchemaChange::AppendNewColumns)
        );
        assert_eq!(
            read.additive_columns,
            [AdditiveColumn {
                name: "c".to_owned(),
                data_type: "int".to_owned(),
                default: Some("0".to_owned()),
                not_null: true
            }]
        );
        assert_eq!(
            (
                read.zero_downtime,
                read.immediate_cleanup,
                read.full_refresh
            ),
            (Some(true), Some(false), Some(false))
        );
    }
}
