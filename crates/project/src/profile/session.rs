//! The session settings that dbt-risingwave takes from profiles and from models' configs.

use rwt_sql::{Ident, Literal};
use serde_json::Value;

/// RisingWave's settings that are keys of a profile's output and of a model's config, in the order in which they are
/// set (dbt-risingwave 1.12.1, `RisingWaveCredentials`).
pub const SESSION_KEYS: [&str; 14] = [
    "streaming_parallelism",
    "streaming_parallelism_for_backfill",
    "streaming_max_parallelism",
    "streaming_cache_refill_policy",
    "enable_serverless_backfill",
    "backfill_rate_limit",
    "source_rate_limit",
    "sink_rate_limit",
    "streaming_parallelism_for_materialized_view",
    "streaming_parallelism_for_source",
    "streaming_parallelism_for_table",
    "streaming_parallelism_for_sink",
    "streaming_parallelism_for_index",
    "enable_index_selection",
];

/// `set <key> = <value>`: booleans in lower case, numbers and the words `default` and `adaptive` bare, anything else as
/// a string, as dbt-risingwave renders them.
pub fn session_statement(key: &str, value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        other => return format!("set {} = {other}", Ident::new(key)),
    };
    let is_number = text.parse::<i64>().is_ok();
    let is_word = ["default", "adaptive", "true", "false"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if is_number || is_word {
        format!("set {} = {}", Ident::new(key), text.to_lowercase())
    } else {
        format!("set {} = {}", Ident::new(key), Literal::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::session_statement;
    use serde_json::json;

    #[test]
    fn values_are_rendered_by_their_kind() {
        let cases = [
            (json!(4), "set streaming_parallelism = 4"),
            (json!("4"), "set streaming_parallelism = 4"),
            (json!(true), "set streaming_parallelism = true"),
            (json!("Adaptive"), "set streaming_parallelism = adaptive"),
            (json!("it's"), "set streaming_parallelism = 'it''s'"),
        ];
        for (value, expected) in cases {
            assert_eq!(session_statement("streaming_parallelism", &value), expected);
        }
    }
}
