//! How old the youngest row of a source table is, and whether that is a warning or an error.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use minijinja::Value;
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use serde::Serialize;
use serde_json::Value as Json;

use super::Compiler;
use super::data_test::Kept;
use crate::error::CompileError;
use crate::jinja::Phase;
use crate::materialize::{Session, lend};

/// dbt's words for how a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FreshnessStatus {
    /// Young enough.
    Pass,
    /// Older than `warn_after`.
    Warn,
    /// Older than `error_after`.
    Error,
}

/// What was found out about a source table.
#[derive(Debug, Clone, PartialEq)]
pub struct Freshness {
    /// When its youngest row was loaded; the year 1 where there is no row.
    pub max_loaded_at: DateTime<Utc>,
    /// What time it was then in the database.
    pub snapshotted_at: DateTime<Utc>,
    /// How it stands.
    pub status: FreshnessStatus,
}

impl Freshness {
    /// Seconds between the two.
    pub fn age(&self) -> f64 {
        let age = self.snapshotted_at - self.max_loaded_at;
        age.as_seconds_f64()
    }
}

impl Compiler {
    /// Whether something is said about how old a source table may be.
    pub fn has_freshness(&self, id: &UniqueId) -> bool {
        let node = self.manifest().nodes.get(id);
        node.is_some_and(|node| {
            node.resource_type == ResourceType::Source
                && ["warn_after", "error_after"]
                    .iter()
                    .any(|key| longest_age(node, key).is_some())
        })
    }

    /// Asks the database how old a source table is.
    ///
    /// # Errors
    /// The project does not say what to ask for, the database refused, or its answer is no time.
    pub fn freshness(
        &self,
        id: &UniqueId,
        session: &mut dyn Session,
    ) -> Result<Freshness, CompileError> {
        let unknown = || CompileError::UnknownNode(id.clone());
        let node = self.manifest().nodes.get(id).ok_or_else(unknown)?;
        let mut kept = Kept {
            session,
            table: None,
        };
        lend(&mut kept, |session| self.ask_freshness(node, session))??;
        let wrong = |what: String| CompileError::Freshness {
            name: node.listed("name"),
            what,
        };
        let rows = kept.table.map(|table| table.rows).unwrap_or_default();
        let [row] = rows.as_slice() else {
            return Err(wrong(format!(
                "one row is expected, and {} came",
                rows.len()
            )));
        };
        let [loaded, now] = row.as_slice() else {
            return Err(wrong(format!(
                "two columns are expected, and {} came",
                row.len()
            )));
        };
        let time = |value: &Json| {
            let found = value.as_str().and_then(moment);
            found.ok_or_else(|| wrong(format!("a timestamp is expected, and {value} came")))
        };
        let max_loaded_at = match loaded {
            Json::Null => NaiveDate::from_ymd_opt(1, 1, 1)
                .unwrap_or_default()
                .and_time(chrono::NaiveTime::MIN)
                .and_utc(),
            value => time(value)?,
        };
        let snapshotted_at = time(now)?;
        let age = snapshotted_at - max_loaded_at;
        let exceeds = |key: &str| longest_age(node, key).is_some_and(|longest| age > longest);
        let status = match (exceeds("error_after"), exceeds("warn_after")) {
            (true, _) => FreshnessStatus::Error,
            (false, true) => FreshnessStatus::Warn,
            (false, false) => FreshnessStatus::Pass,
        };
        Ok(Freshness {
            max_loaded_at,
            snapshotted_at,
            status,
        })
    }

    fn ask_freshness(
        &self,
        node: &Node,
        session: crate::jinja::SharedSession,
    ) -> Result<(), CompileError> {
        let failed = |error| CompileError::template(error, Some(node.into()));
        let text = |key: &str| node.config.get(key).and_then(Json::as_str);
        let scope = || self.node_scope(node, Phase::Materialize, &session);
        let relation = scope()
            .node
            .map_or(Value::UNDEFINED, |node| node.this.value());
        let (name, args) = match (text("loaded_at_query"), text("loaded_at_field")) {
            (Some(query), _) => {
                let query = self
                    .jinja
                    .render_text("loaded_at_query", query, &Arc::new(scope()))
                    .map_err(failed)?;
                let args = vec![relation, Value::from(query)];
                ("collect_freshness_custom_sql", args)
            }
            (None, Some(field)) => {
                let freshness = node.config.get("freshness");
                let filter = freshness.and_then(|freshness| freshness.get("filter"));
                let filter = Value::from(filter.and_then(Json::as_str));
                (
                    "collect_freshness",
                    vec![relation, Value::from(field), filter],
                )
            }
            (None, None) => {
                return Err(CompileError::Freshness {
                    name: node.listed("name"),
                    what: "no 'loaded_at_field' and no 'loaded_at_query' says what to look at"
                        .to_owned(),
                });
            }
        };
        let definition = self.named_macro(name)?;
        let called = self.jinja.call(definition, &args, scope());
        called.map(drop).map_err(failed)
    }
}

/// `warn_after` or `error_after` of a source table.
fn longest_age(node: &Node, key: &str) -> Option<TimeDelta> {
    let threshold = node.config.get("freshness")?.get(key)?;
    let count = threshold.get("count")?;
    let count = count
        .as_i64()
        .or_else(|| count.as_str()?.trim().parse().ok())?;
    match threshold.get("period")?.as_str()? {
        "minute" => TimeDelta::try_minutes(count),
        "hour" => TimeDelta::try_hours(count),
        "day" => TimeDelta::try_days(count),
        _ => None,
    }
}

/// A timestamp as the database writes it; one without a zone is in UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    for form in ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"] {
        if let Ok(with_zone) = DateTime::parse_from_str(text, form) {
            return Some(with_zone.to_utc());
        }
    }
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|naive| naive.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_as_the_database_writes_them() {
        let shown = |text: &str| moment(text).map(|at| at.to_rfc3339());
        assert_eq!(
            shown("2024-05-01 10:00:00.25+02:00").as_deref(),
            Some("2024-05-01T08:00:00.250+00:00")
        );
        assert_eq!(
            shown("2024-05-01 10:00:00+00").as_deref(),
            Some("2024-05-01T10:00:00+00:00")
        );
        assert_eq!(
            shown("2024-05-01 10:00:00").as_deref(),
            Some("2024-05-01T10:00:00+00:00")
        );
        assert_eq!(shown("2024-05-01"), None);
    }
}
