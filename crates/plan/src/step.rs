//! Steps: statements with what must hold before them and what the catalog shows after them, so that an executor can
//! write down each before and after, and judge from the catalog whether one that was interrupted took effect.

use serde::{Deserialize, Serialize};

use crate::catalog::{CatalogSnapshot, ObjectId};
use crate::name::{Kind, RelationName};
use crate::state::Leftover;

/// A part of a plan. Phases follow one another in this order, and so do their steps in [`crate::Plan::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `on-run-start`
    Start,
    /// Schemas, renames and what else the rest stands on.
    Prepare,
    /// New objects, shadows of changed ones, additions to tables and sources. No name that is read changes its meaning.
    Build,
    /// Every backfill of a shadow has ended.
    Await,
    /// Names move from old objects to shadows.
    Swap,
    /// Sinks and subscriptions follow.
    Move,
    /// Old objects go, leaves first.
    Clean,
    /// What runs in place: incremental models, macros that are more than one CREATE.
    Run,
    /// `on-run-end`
    End,
}

/// What a step does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Statements of a hook.
    Hook,
    /// Creates an object under its own name.
    Create,
    /// Creates an object under a shadow name.
    Shadow,
    /// Changes an object in place.
    Alter,
    /// Gives an object another name.
    Rename,
    /// Waits until an object is built; without a statement where the server has none for it.
    Wait,
    /// Exchanges two names; without a statement where the new object was built under its own.
    Swap,
    /// `REPLACE SINK`
    Replace,
    /// Drops an object.
    Drop,
    /// Runs a node's materialization on a live session ([`rwt_compiler::Compiler::materialize`]).
    Run,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its number in the plan, from 1.
    pub number: usize,
    /// Its phase.
    pub phase: Phase,
    /// What it does.
    pub kind: StepKind,
    /// The node it belongs to; none for hooks, schemas and leftovers.
    pub unique_id: Option<String>,
    /// Why it is done, for people: `build the new funnel beside the old one`.
    pub purpose: String,
    /// What must hold before it; if something does not, the database has moved and the step must not run.
    pub requires: Vec<Fact>,
    /// Sent before the statements on the same session: settings and pre-hooks. Safe to repeat.
    pub before: Vec<String>,
    /// The statements. Secrets are markers.
    pub statements: Vec<StepStatement>,
    /// Sent after the statements on the same session: settings back to their defaults. Safe to repeat.
    pub after: Vec<String>,
    /// The object that the step builds or waits for. Its creation may go on for long, can run in the background
    /// (`SET background_ddl = true`, then wait), shows in `rw_ddl_progress` and can be cancelled.
    pub builds: Option<Built>,
    /// What takes the step back, in order, as long as no step of [`Phase::Swap`] or later has run.
    pub undo: Vec<StepStatement>,
    /// Numbers of steps that must have ended before. Steps of a later phase wait for all of the earlier ones.
    pub waits_for: Vec<usize>,
    /// Nodes whose state is to be recorded when the step has ended: see [`crate::plan::ObjectPlan::record`].
    pub completes: Vec<String>,
    /// Nodes whose state is to be forgotten when the step has ended.
    pub forgets: Vec<String>,
    /// What the step takes out of use. It is to be recorded, and to be forgotten once it is dropped.
    pub leaves: Vec<Leftover>,
}

/// A statement of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepStatement {
    /// Its exact text, without a closing `;`.
    pub sql: String,
    /// How to tell that it took effect.
    pub effect: Effect,
}

/// How to tell that a statement took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The catalog shows it: once the fact holds, the statement must not run again.
    Shows(Fact),
    /// The catalog does not show it, and running it again does no harm.
    Repeatable,
}

/// An object whose creation takes time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The name that it is built under.
    pub relation: RelationName,
    /// What it is.
    pub kind: Kind,
}

/// Something that a catalog shows or does not show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// An object of this name and kind exists and is built.
    Exists {
        /// Its name.
        relation: RelationName,
        /// Its kind.
        kind: Kind,
    },
    /// The name belongs to the object with this id.
    Is {
        /// The name.
        relation: RelationName,
        /// The kind, which tells the namespace.
        kind: Kind,
        /// The id.
        id: ObjectId,
    },
    /// Nothing has this name.
    Absent {
        /// The name.
        relation: RelationName,
        /// The kind, which tells the namespace.
        kind: Kind,
    },
    /// No object has this id.
    Gone {
        /// The id.
        id: ObjectId,
    },
    /// Nothing but indexes and hidden helpers hangs on the object with this id, and no sink writes into it.
    NothingHangsOn {
        /// The id.
        id: ObjectId,
    },
    /// An index of this name exists.
    IndexExists {
        /// Its name.
        relation: RelationName,
    },
    /// No index has this name.
    IndexAbsent {
        /// The name.
        relation: RelationName,
    },
    /// The object has the column.
    HasColumn {
        /// The object.
        relation: RelationName,
        /// The column.
        column: String,
    },
    /// The object has no such column.
    LacksColumn {
        /// The object.
        relation: RelationName,
        /// The column.
        column: String,
    },
    /// The schema exists.
    SchemaExists {
        /// Its name.
        schema: String,
    },
}

impl Fact {
    /// Whether the catalog shows it.
    pub fn holds(&self, catalog: &CatalogSnapshot) -> bool {
        match self {
            Self::Exists { relation, kind } => catalog
                .find(relation, *kind)
                .is_some_and(|(_, object)| object.kind == *kind && !object.creating),
            Self::Is { relation, kind, id } => catalog
                .find(relation, *kind)
                .is_some_and(|(found, _)| found == *id),
            Self::Absent { relation, kind } => {
                catalog.find(relation, *kind).is_none()
                    && (kind.namespace() != Kind::Table || catalog.find_index(relation).is_none())
            }
            Self::Gone { id } => {
                !catalog.objects.contains_key(id) && !catalog.indexes.contains_key(id)
            }
            Self::NothingHangsOn { id } => {
                let mut objects = catalog.objects.values();
                let written =
                    objects.any(|sink| sink.sink_into == Some(*id) && !sink.relation.is_hidden());
                !written && catalog.dependents(*id).is_empty()
            }
            Self::IndexExists { relation } => catalog.find_index(relation).is_some(),
            Self::IndexAbsent { relation } => catalog.find_index(relation).is_none(),
            Self::HasColumn { relation, column } => has_column(catalog, relation, column),
            Self::LacksColumn { relation, column } => !has_column(catalog, relation, column),
            Self::SchemaExists { schema } => catalog.schemas.contains(schema),
        }
    }
}

fn has_column(catalog: &CatalogSnapshot, relation: &RelationName, column: &str) -> bool {
    let found = catalog.find(relation, Kind::Table);
    found.is_some_and(|(_, object)| object.columns.iter().any(|c| c.name == column))
}

impl Step {
    /// All statements in the order in which they are sent.
    pub fn sql(&self) -> impl Iterator<Item = &str> {
        let own = self.statements.iter().map(|statement| &statement.sql);
        let all = self.before.iter().chain(own).chain(&self.after);
        all.map(String::as_str)
    }

    /// Whether the step may be run again after it was interrupted without looking at the catalog first.
    pub fn is_repeatable(&self) -> bool {
        self.statements
            .iter()
            .all(|statement| statement.effect == Effect::Repeatable)
    }
}
