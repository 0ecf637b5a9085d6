//! `metadata`: who wrote an artifact, and when.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use rwt_project::environment::Environment;
use serde::Serialize;

use crate::DBT_VERSION;

/// Variables with this beginning are written into every artifact, without it, as dbt does.
const CUSTOM: &str = "DBT_ENV_CUSTOM_ENV_";

/// The command that an artifact is of.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The id that templates see as `invocation_id`.
    pub id: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// What the environment says under names that begin with `DBT_ENV_CUSTOM_ENV_`.
    pub env: BTreeMap<String, String>,
}

impl Invocation {
    /// The command with what its environment wants to be written.
    pub fn new(id: &str, started_at: DateTime<Utc>, environment: &Environment) -> Self {
        let names = environment.names();
        let custom = names.iter().filter_map(|name| {
            let key = name.strip_prefix(CUSTOM)?;
            Some((key.to_owned(), environment.get(name)?))
        });
        Self {
            id: id.to_owned(),
            started_at,
            env: custom.collect(),
        }
    }

    /// The metadata of an artifact of this schema, for example `catalog/v1`, written now.
    pub(super) fn metadata(&self, schema: &str) -> Metadata<'_> {
        Metadata {
            dbt_schema_version: format!("https://schemas.getdbt.com/dbt/{schema}.json"),
            dbt_version: DBT_VERSION,
            generated_at: time(Utc::now()),
            invocation_id: &self.id,
            invocation_started_at: time(self.started_at),
            env: &self.env,
        }
    }
}

/// What every artifact has.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    dbt_schema_version: String,
    dbt_version: &'static str,
    generated_at: String,
    invocation_id: &'a str,
    invocation_started_at: String,
    env: &'a BTreeMap<String, String>,
}

/// A time as dbt writes it: `2026-11-22T21:19:00.662670Z`.
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
