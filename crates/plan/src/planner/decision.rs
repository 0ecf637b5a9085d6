//! What is decided for an object, before it becomes steps.

use std::collections::BTreeMap;

use super::compare::{IndexChanges, Standing};
use crate::catalog::ObjectId;
use crate::desired::DesiredObject;
use crate::plan::{Action, Blocked, Consequence, Reason};
use crate::state::Definition;

/// How an object is brought about.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Treatment {
    /// No statement.
    #[default]
    Nothing,
    /// It is created under its own name.
    Create,
    /// It is changed in place.
    Alter,
    /// It is built beside the old one.
    Shadow(Cutover),
    /// The old one is dropped, then it is created.
    InPlace,
    /// `REPLACE SINK`
    ReplaceSink,
    /// A sink is made anew behind all else.
    MoveSink {
        /// It begins with the rows that are there; else the new one takes over before the old one goes.
        snapshot: bool,
    },
    /// Its materialization runs.
    Run,
}

/// How a shadow takes an object's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cutover {
    /// `ALTER … SWAP WITH`
    Swap,
    /// Two renames, for objects of different kinds cannot be swapped.
    Renames,
    /// It is built under a name of its own from the start.
    NewName,
}

/// Changes in place.
#[derive(Debug, Default)]
pub(crate) struct Alteration {
    /// Columns to add: name, definition.
    pub columns: Vec<(String, String)>,
    pub indexes: IndexChanges,
    /// GRANT statements to send, and those to take back.
    pub grants: (Vec<String>, Vec<String>),
    pub comments: (Vec<String>, Vec<String>),
    pub tuning: BTreeMap<String, Option<String>>,
    /// `ALTER SECRET`
    pub secret: bool,
    /// It gets the name that the project wants.
    pub rename: bool,
}

impl Alteration {
    /// Nothing but names change.
    pub fn only_names(&self) -> bool {
        self.columns.is_empty()
            && self.indexes.add.is_empty()
            && self.indexes.drop.is_empty()
            && self.grants.0.is_empty()
            && self.grants.1.is_empty()
            && self.comments.0.is_empty()
            && self.comments.1.is_empty()
            && self.tuning.is_empty()
            && !self.secret
    }

    /// Nothing changes.
    pub fn is_empty(&self) -> bool {
        self.only_names() && !self.rename && self.indexes.rename.is_empty()
    }
}

/// What is decided for an object.
pub(crate) struct Decision<'a> {
    pub object: &'a DesiredObject,
    pub definition: Definition,
    pub standing: Standing<'a>,
    pub treatment: Treatment,
    pub alteration: Alteration,
    pub action: Action,
    pub reasons: Vec<Reason>,
    pub consequences: Vec<Consequence>,
    pub blocked: Option<Blocked>,
    pub notes: Vec<String>,
    /// It is not part of the selection.
    pub outside: bool,
    /// Its changed CREATE is not applied, so that it is not to be remembered either.
    pub keeps_old: bool,
    /// Its changed indexes are not applied.
    pub keeps_indexes: bool,
    /// Indexes that should go or change and cannot, for something was planned on them.
    pub used_indexes: Vec<String>,
    /// It was to move before it was blocked.
    pub was_moving: bool,
    /// Views lose what they read when it goes to another schema, so that they go together.
    pub moves_views: bool,
}

impl<'a> Decision<'a> {
    pub fn new(object: &'a DesiredObject, definition: Definition, standing: Standing<'a>) -> Self {
        Self {
            object,
            definition,
            standing,
            treatment: Treatment::Nothing,
            alteration: Alteration::default(),
            action: Action::Unchanged,
            reasons: Vec::new(),
            consequences: Vec::new(),
            blocked: None,
            notes: Vec::new(),
            outside: false,
            keeps_old: false,
            keeps_indexes: false,
            used_indexes: Vec::new(),
            was_moving: false,
            moves_views: false,
        }
    }

    /// The id of the object that is there.
    pub fn id(&self) -> Option<ObjectId> {
        match &self.standing {
            Standing::There(there) => Some(there.id),
            Standing::Unknown { id, .. } => Some(*id),
            Standing::Missing { .. } => None,
        }
    }

    /// Whether what reads it must follow to another object.
    pub fn is_rebuilt(&self) -> bool {
        matches!(self.treatment, Treatment::Shadow(_) | Treatment::InPlace)
    }

    /// Whether it takes part in a rebuild, at the root of one or below.
    pub fn moves(&self) -> bool {
        self.is_rebuilt()
            || matches!(
                self.treatment,
                Treatment::ReplaceSink | Treatment::MoveSink { .. }
            )
    }

    /// It would move, and does not; what moves with it does not either.
    pub fn block_moving(&mut self, blocked: Blocked) {
        self.was_moving = self.moves() || self.moves_views;
        self.block(blocked);
    }

    /// It does not change, and this is why.
    pub fn block(&mut self, blocked: Blocked) {
        self.blocked = Some(blocked);
        self.action = Action::Blocked;
        self.treatment = Treatment::Nothing;
        self.alteration = Alteration::default();
    }
}
