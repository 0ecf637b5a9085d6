//! What the project wants: each object with its statements sorted by purpose, its configuration that matters, and its
//! fingerprint.
//!
//! Hooks of the project (`on-run-start`, `on-run-end`) stay statements: a connection or secret that one creates is no
//! object of the plan. A hook that is a CREATE is left out of a plan where its object exists.

mod collect;
mod config;
mod fingerprint;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::name::{Kind, RelationName};
use crate::state::Definition;

pub(crate) use fingerprint::{hash, without_if_not_exists};

/// All that the project wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    /// The project's name.
    pub project: String,
    /// The target's name.
    pub target: String,
    /// The database.
    pub database: String,
    /// The schema that names without one mean.
    pub schema: String,
    /// Schemas of all objects.
    pub schemas: BTreeSet<String>,
    /// Every object by unique id, in the order of the DAG.
    pub objects: IndexMap<String, DesiredObject>,
    /// The project's file, relative to the project.
    pub file: String,
    /// Statements of `on-run-start`.
    pub on_run_start: Vec<String>,
    /// Statements of `on-run-end`; none where they are known only when the run is over.
    pub on_run_end: Vec<String>,
    /// Codes of advice that are not to be heard: the variable `lint_ignore`.
    pub lint_ignore: BTreeSet<String>,
}

/// An object that the project wants.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredObject {
    /// The node.
    pub unique_id: String,
    /// The node's name.
    pub name: String,
    /// The model's file, relative to the project.
    pub file: String,
    /// Its relation.
    pub relation: RelationName,
    /// What it is.
    pub kind: Kind,
    /// The materialization's name.
    pub materialized: String,
    /// Its materialization is not one CREATE and what belongs to it (incremental, seed, snapshot, macros that do other
    /// things), so that only running it brings it about.
    pub imperative: bool,
    /// Settings that are in effect for the CREATE, and pre-hooks, in order.
    pub before: Vec<String>,
    /// The CREATE statement; for an imperative node all statements that it would send on an empty database.
    pub create: String,
    /// Indexes by name.
    pub indexes: IndexMap<String, String>,
    /// GRANT statements.
    pub grants: Vec<String>,
    /// COMMENT statements.
    pub comments: Vec<String>,
    /// Settings back to their defaults.
    pub after: Vec<String>,
    /// Post-hooks.
    pub post_hooks: Vec<String>,
    /// Settings that can be changed while the object lives (parallelism, rate limits), by name.
    pub tuning: BTreeMap<String, String>,
    /// Nodes that it depends on and that are objects, ephemeral ones followed up; by unique id.
    pub depends_on: BTreeSet<String>,
    /// Those of them that it is bound to in the database: what its CREATE reads all the time.
    pub bound_to: BTreeSet<String>,
    /// The table that a sink INTO writes to, as a node.
    pub writes_to: Option<String>,
    /// Configuration that decides how a change is made.
    pub config: ChangeConfig,
    /// What it is made from, as hashes.
    pub fingerprint: Fingerprint,
}

/// Configuration that decides how a change is made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChangeConfig {
    /// `on_configuration_change`
    pub on_configuration_change: OnConfigurationChange,
    /// `on_schema_change`
    pub on_schema_change: Option<OnSchemaChange>,
    /// `additive_schema_evolution`
    pub additive_columns: Vec<AdditiveColumn>,
    /// `zero_downtime`, or its `enabled`.
    pub zero_downtime: Option<bool>,
    /// `zero_downtime.immediate_cleanup`
    pub immediate_cleanup: Option<bool>,
    /// `full_refresh`
    pub full_refresh: Option<bool>,
    /// `move_snapshot`: whether a sink that must be made anew begins with all rows that are there.
    pub move_snapshot: Option<bool>,
    /// `incremental_strategy`
    pub incremental_strategy: Option<String>,
    /// `unique_key`: columns by which an incremental model replaces rows.
    pub unique_key: Vec<String>,
    /// `lint_ignore`: codes of advice that are not to be heard of this node.
    pub lint_ignore: BTreeSet<String>,
}

/// `on_configuration_change`: what becomes of changed indexes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OnConfigurationChange {
    #[default]
    Apply,
    Continue,
    Fail,
}

/// `on_schema_change`: what becomes of a table whose columns have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OnSchemaChange {
    Ignore,
    AppendNewColumns,
    Fail,
}

/// One of `additive_schema_evolution`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdditiveColumn {
    /// The column.
    pub name: String,
    /// Its type, as written.
    pub data_type: String,
    /// Its default, an expression.
    pub default: Option<String>,
    /// `NOT NULL`
    pub not_null: bool,
}

/// The format of the fingerprints that this rwt computes. Those of another format are not compared.
pub const FINGERPRINT_FORMAT: u32 = 2;

/// What an object is made from, as hashes (SHA-256, hexadecimal). How statements are written does not matter, nor what
/// the object and those that it reads are called; secrets count by name, never by value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// [`FINGERPRINT_FORMAT`] of the rwt that computed it.
    pub format: u32,
    /// The schema that names without one mean, which is the target's. What was made for another one is another
    /// deployment of the same project, such as somebody's own copy, and is not this one's to touch.
    #[serde(default)]
    pub schema: String,
    /// The CREATE statement and the settings that make another object of it.
    pub create: String,
    /// What stands for each node that it names, by unique id: its place in the statement, then that node's own identity,
    /// for a table or source that is not read with `*` without its columns.
    pub inputs: BTreeMap<String, String>,
    /// `create` and `inputs` together: what stands for this object where another one reads it.
    pub identity: String,
    /// Pre-hooks and post-hooks, which run when the object is built and at no other time.
    pub hooks: String,
}

impl DesiredObject {
    fn shown_create(&self) -> String {
        // A seed's rows are in its statements.
        const LONGEST: usize = 20_000;
        let shown = rwt_sql::redact(&without_if_not_exists(&self.create));
        if !self.imperative || shown.len() <= LONGEST {
            return shown;
        }
        let end = (0..=LONGEST).rev().find(|at| shown.is_char_boundary(*at));
        format!("{}\n-- and so on", &shown[..end.unwrap_or(0)])
    }

    /// Its statements as text, for the state and for differences; secrets are hidden.
    pub fn definition(&self) -> Definition {
        let shown = |statements: &[String]| -> Vec<String> {
            statements.iter().map(|sql| rwt_sql::redact(sql)).collect()
        };
        Definition {
            create: self.shown_create(),
            indexes: self
                .indexes
                .iter()
                .map(|(name, sql)| (name.clone(), sql.clone()))
                .collect(),
            grants: shown(&self.grants),
            comments: shown(&self.comments),
            tuning: self.tuning.clone(),
        }
    }
}
