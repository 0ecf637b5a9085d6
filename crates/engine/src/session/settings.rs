//! A session's settings: RisingWave's names and defaults, and what their values may be
//! (`golden/sql/session_settings.slt`).

use std::collections::BTreeMap;

use rwt_wire::{SqlError, SqlState};

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Anything.
    Text,
    /// `true`, `false`, `on`, `off`, …; shown as `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// `default`, `adaptive` or a number of actors.
    Parallelism,
    /// `default`, `true` or `false`; shown as `default`, `enable` or `disable`.
    Decouple,
    /// A duration with its unit; shown in milliseconds.
    Timeout,
    /// Only this value, without regard to case.
    Only(&'static str),
    /// One of these words.
    Words(&'static [&'static str]),
    /// `schema.connection` or nothing; the connection is looked up by the session.
    Connection,
    /// A list of names, shown joined by `, `.
    Names,
    /// An IANA time zone.
    Zone,
    /// Cannot be set.
    Fixed,
}

const PARALLELISM: &str = "parallelism of streaming jobs: default, adaptive or a number";

/// Name, default, shape, description.
const SETTINGS: &[(&str, &str, Shape, &str)] = &[
    (
        "implicit_flush",
        "false",
        Shape::Bool,
        "DML returns only when its rows are durable and can be read",
    ),
    (
        "create_compaction_group_for_mv",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "query_mode",
        "auto",
        Shape::Words(&["auto", "local", "distributed"]),
        "no effect in the embedded engine",
    ),
    (
        "extra_float_digits",
        "1",
        Shape::Int,
        "no effect: doubles print their shortest exact text",
    ),
    ("application_name", "", Shape::Text, "the client's name"),
    ("datestyle", "", Shape::Text, "no effect"),
    (
        "batch_enable_lookup_join",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "batch_enable_sort_agg",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "batch_enable_distributed_dml",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "batch_expr_strict_mode",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "max_split_range_gap",
        "8",
        Shape::Int,
        "no effect in the embedded engine",
    ),
    (
        "search_path",
        "\"$user\", public",
        Shape::Names,
        "schemas of names without a schema",
    ),
    (
        "visibility_mode",
        "default",
        Shape::Words(&["default", "all", "checkpoint"]),
        "no effect in the embedded engine",
    ),
    (
        "transaction_isolation",
        "read committed",
        Shape::Text,
        "no effect",
    ),
    (
        "query_epoch",
        "0",
        Shape::Int,
        "no effect in the embedded engine",
    ),
    (
        "timezone",
        "UTC",
        Shape::Zone,
        "the zone of timestamptz texts",
    ),
    (
        "streaming_parallelism",
        "default",
        Shape::Parallelism,
        PARALLELISM,
    ),
    (
        "streaming_parallelism_for_table",
        "default",
        Shape::Parallelism,
        PARALLELISM,
    ),
    (
        "streaming_parallelism_for_sink",
        "default",
        Shape::Parallelism,
        PARALLELISM,
    ),
    (
        "streaming_parallelism_for_index",
        "default",
        Shape::Parallelism,
        PARALLELISM,
    ),
    (
        "streaming_parallelism_for_source",
        "default",
        Shape::Parallelism,
        PARALLELISM,
    ),
    (
        "streaming_parallelism_for_materialized_view",
        "default",
        Shape::Parallelism,
        PARALLELISM,
    ),
    (
        "streaming_parallelism_for_backfill",
        "default",
        Shape::Parallelism,
        PARALLELISM,
    ),
    (
        "streaming_max_parallelism",
        "256",
        Shape::Int,
        "no effect in the embedded engine",
    ),
    (
        "streaming_enable_delta_join",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "streaming_enable_bushy_join",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "streaming_use_arrangement_backfill",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "streaming_use_snapshot_backfill",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "streaming_use_shared_source",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "streaming_over_window_cache_policy",
        "full",
        Shape::Text,
        "no effect in the embedded engine",
    ),
    (
        "streaming_allow_jsonb_in_stream_key",
        "false",
        Shape::Bool,
        "materialized views may group by jsonb",
    ),
    (
        "streaming_enable_unaligned_join",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "streaming_enable_materialized_expressions",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "streaming_force_filter_inside_join",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "enable_index_selection",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "enable_locality_backfill",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "upsert_dml",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "streaming_separate_consecutive_join",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "enable_join_ordering",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "enable_two_phase_agg",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "force_two_phase_agg",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "enable_share_plan",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "force_split_distinct_agg",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    ("intervalstyle", "", Shape::Text, "no effect"),
    (
        "batch_parallelism",
        "default",
        Shape::Parallelism,
        "no effect in the embedded engine",
    ),
    (
        "server_version",
        "13.14.0",
        Shape::Fixed,
        "the PostgreSQL version that clients see",
    ),
    (
        "server_version_num",
        "130014",
        Shape::Fixed,
        "the same as a number",
    ),
    (
        "client_min_messages",
        "notice",
        Shape::Text,
        "no effect: notices are always sent",
    ),
    (
        "client_encoding",
        "UTF8",
        Shape::Only("UTF8"),
        "always UTF8",
    ),
    (
        "sink_decouple",
        "default",
        Shape::Decouple,
        "must not be false for tables in the lake",
    ),
    ("synchronize_seqscans", "false", Shape::Bool, "no effect"),
    (
        "statement_timeout",
        "0ms",
        Shape::Timeout,
        "a longer statement is cancelled; 0 is no limit",
    ),
    (
        "idle_in_transaction_session_timeout",
        "60000ms",
        Shape::Timeout,
        "no effect",
    ),
    ("lock_timeout", "0", Shape::Text, "no effect"),
    (
        "cdc_source_wait_streaming_start_timeout",
        "30",
        Shape::Int,
        "no effect in the embedded engine",
    ),
    ("row_security", "true", Shape::Bool, "no effect"),
    (
        "standard_conforming_strings",
        "on",
        Shape::Text,
        "always on",
    ),
    (
        "source_rate_limit",
        "-1",
        Shape::Int,
        "no effect in the embedded engine",
    ),
    (
        "backfill_rate_limit",
        "-1",
        Shape::Int,
        "rows a second that the creation of a materialized view may take; -1 is no limit",
    ),
    (
        "dml_rate_limit",
        "-1",
        Shape::Int,
        "no effect in the embedded engine",
    ),
    (
        "sink_rate_limit",
        "-1",
        Shape::Int,
        "no effect in the embedded engine",
    ),
    (
        "background_ddl",
        "false",
        Shape::Bool,
        "the creation of a materialized view goes on without its client",
    ),
    ("bytea_output", "hex", Shape::Text, "always hex"),
    (
        "bypass_cluster_limits",
        "false",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
    (
        "license_key",
        "",
        Shape::Fixed,
        "no effect in the embedded engine",
    ),
    (
        "iceberg_engine_connection",
        "",
        Shape::Connection,
        "the connection of tables with ENGINE = iceberg",
    ),
    (
        "enable_mv_backfill_order",
        "true",
        Shape::Bool,
        "no effect in the embedded engine",
    ),
];

/// The settings of one session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    changed: BTreeMap<&'static str, String>,
}

fn entry(name: &str) -> Option<&'static (&'static str, &'static str, Shape, &'static str)> {
    let name = match name {
        "transaction isolation level" => "transaction_isolation",
        other => other,
    };
    let found = |name: &str| SETTINGS.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name));
    // Most of them had this prefix once.
    let prefix = |name: &&str| name.is_char_boundary(3) && name[..3].eq_ignore_ascii_case("rw_");
    found(name).or_else(|| found(Some(name).filter(prefix)?.get(3..)?))
}

fn unknown(name: &str) -> SqlError {
    SqlError::internal("Failed to get/set session config")
        .because(format!("Unrecognized config entry `{name}`"))
}

impl Variables {
    /// A setting's value.
    pub fn get(&self, name: &str) -> Result<String, SqlError> {
        let (name, default, ..) = entry(name).ok_or_else(|| unknown(name))?;
        Ok(self
            .changed
            .get(name)
            .cloned()
            .unwrap_or_else(|| (*default).to_owned()))
    }

    /// A boolean setting.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_ok_and(|v| v == "true")
    }

    /// All settings: name, value, description.
    pub fn all(&self) -> Vec<(String, String, String)> {
        let mut all: Vec<_> = SETTINGS
            .iter()
            .map(|(name, default, _, description)| {
                let value = self.changed.get(name).map_or(*default, String::as_str);
                (
                    (*name).to_owned(),
                    value.to_owned(),
                    (*description).to_owned(),
                )
            })
            .collect();
        all.sort();
        all
    }

    /// Sets a setting; without values it gets its default. A connection's name is returned to be looked up.
    pub fn set(&mut self, name: &str, values: &[String]) -> Result<(), SqlError> {
        let (name, _, shape, _) = entry(name).ok_or_else(|| unknown(name))?;
        if values.is_empty() {
            self.changed.remove(name);
            return Ok(());
        }
        let value = values.join(", ");
        let refused = |reason: &str| {
            SqlError::new(SqlState::Internal, "Failed to get/set session config")
                .because(format!("Invalid value `{value}` for `{name}`"))
                .because(reason)
        };
        let bare = value.trim();
        let stored = match shape {
            Shape::Text => bare.to_owned(),
            Shape::Bool => match bare.to_ascii_lowercase().as_str() {
                "true" | "t" | "on" | "yes" | "1" => "true".into(),
                "false" | "f" | "off" | "no" | "0" => "false".into(),
                _ => return Err(refused("Invalid bool")),
            },
            Shape::Int => match bare.parse::<i64>() {
                Ok(number) => number.to_string(),
                Err(_) => return Err(refused("invalid digit found in string")),
            },
            Shape::Parallelism => match bare.to_ascii_lowercase().as_str() {
                "default" => "default".into(),
                "adaptive" | "auto" | "0" => "adaptive".into(),
                other => match other.parse::<u64>() {
                    Ok(number) => number.to_string(),
                    Err(_) => return Err(refused("invalid digit found in string")),
                },
            },
            Shape::Decouple => match bare.to_ascii_lowercase().as_str() {
                "default" => "default".into(),
                "true" | "enable" | "on" | "t" | "1" => "enable".into(),
                "false" | "disable" | "off" | "f" | "0" => "disable".into(),
                _ => return Err(refused("Invalid bool")),
            },
            Shape::Timeout => format!(
                "{}ms",
                milliseconds(bare).ok_or_else(|| refused("time unit is required: ms s min h d"))?
            ),
            Shape::Only(only) => {
                let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_uppercase();
                if plain(bare) != plain(only) {
                    return Err(refused("Only support 'UTF8' for CLIENT_ENCODING"));
                }
                (*only).to_owned()
            }
            Shape::Words(words) => match words.iter().find(|w| w.eq_ignore_ascii_case(bare)) {
                Some(word) => (*word).to_owned(),
                None => return Err(refused(&format!("one of {} is expected", words.join(", ")))),
            },
            Shape::Connection => {
                if !bare.is_empty() && !bare.contains('.') {
                    return Err(refused(
                        "Invalid iceberg engine connection format, Should be set to this format: schema_name.connection_name.",
                    ));
                }
                bare.to_owned()
            }
            Shape::Names => values
                .iter()
                .map(|name| match name.as_str() {
                    "$user" => "\"$user\"".to_owned(),
                    other => other.to_owned(),
                })
                .collect::<Vec<_>>()
                .join(", "),
            Shape::Zone if rwt_query::timezone(bare).is_some() => bare.to_owned(),
            Shape::Zone => return Err(refused("Not a valid timezone")),
            Shape::Fixed => return Err(refused("the parameter cannot be changed")),
        };
        self.changed.insert(name, stored);
        Ok(())
    }

    /// The session's time zone by the name that everything knows it by; SHOW has it as it was set.
    pub fn current_timezone(&self) -> &'static str {
        self.changed
            .get("timezone")
            .and_then(|name| rwt_query::timezone(name))
            .unwrap_or("UTC")
    }

    /// The time limit of a statement.
    pub fn timeout(&self) -> Option<std::time::Duration> {
        let value = self.get("statement_timeout").ok()?;
        match value.trim_end_matches("ms").parse() {
            Ok(0) | Err(_) => None,
            Ok(millis) => Some(std::time::Duration::from_millis(millis)),
        }
    }
}

/// A duration such as `30s`; a number without a unit only if it is zero.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let factor = match text.get(digits..)?.trim() {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == 0 => 1,
        _ => return None,
    };
    number.checked_mul(factor)
}
