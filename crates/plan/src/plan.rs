//! The plan: what is decided for each object, why, what it costs in rows, and the ordered steps.

use serde::{Deserialize, Serialize};

use crate::advice::Advice;
use crate::catalog::ObjectId;
use crate::desired::Fingerprint;
use crate::name::{Kind, RelationName};
use crate::state::{Definition, Leftover};
use crate::step::Step;
use crate::version::{Feature, ServerVersion};

/// The format of saved plans that this rwt writes and reads.
pub const PLAN_FORMAT: u32 = 1;

/// How to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The deployment's short id, `[a-z0-9]{1,16}`; none derives one from what is planned, so that the same plan twice is
    /// the same text.
    pub deployment: Option<String>,
    /// Objects that lose rows or emit again are planned, and not blocked.
    pub allow_destructive: bool,
    /// Objects whose node is gone are dropped, and not only reported.
    pub prune: bool,
    /// Selected objects are rebuilt although they have not changed.
    pub full_refresh: bool,
    /// Objects that were changed outside of rwt are brought back.
    pub repair: bool,
    /// What becomes of objects that exist and that the state does not know.
    pub adopt: Adopt,
    /// Leftovers that are to be kept are dropped as well.
    pub clean_up: bool,
    /// `vars.zero_downtime`: false rebuilds changed objects in place, with their names missing meanwhile.
    pub zero_downtime: Option<bool>,
    /// Whether sinks that must be made anew begin with all rows that are there; a node's `move_snapshot` wins.
    pub move_snapshot: Option<bool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deployment: None,
            allow_destructive: false,
            prune: false,
            full_refresh: false,
            repair: false,
            adopt: Adopt::No,
            clean_up: false,
            zero_downtime: None,
            move_snapshot: None,
        }
    }
}

/// What becomes of objects that exist and that the state does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Adopt {
    /// They are reported and left alone.
    #[default]
    No,
    /// They enter the state: as current where their definition says the same, else as changed, so that the next plan
    /// shows the difference.
    Compare,
    /// They enter the state as current, whatever their definition says.
    All,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`]
    pub format: u32,
    /// The project.
    pub project: String,
    /// The target.
    pub target: String,
    /// The database.
    pub database: String,
    /// The deployment's short id, part of every shadow's name.
    pub deployment: String,
    /// What the plan rests on.
    pub base: Base,
    /// The server's version at that time.
    pub server: ServerVersion,
    /// Every object, those of the project in the order of the DAG, then what is no longer in it.
    pub objects: Vec<ObjectPlan>,
    /// Objects that earlier deployments have taken out of use and that are still there.
    #[serde(default)]
    pub leftovers: Vec<LeftoverPlan>,
    /// What is probably not meant in the objects that change.
    #[serde(default)]
    pub advice: Vec<Advice>,
    /// The steps in an order in which they can run one after the other.
    pub steps: Vec<Step>,
}

/// What becomes of an object that an earlier deployment has taken out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftoverPlan {
    /// The object.
    pub leftover: Leftover,
    /// It is dropped.
    pub drops: bool,
    /// What hangs on it, if it is not to be kept anyway.
    pub dependents: Vec<RelationName>,
}

/// What a plan rests on, so that it is refused when the database has moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// A hash of the state and of the catalog as far as [`Base::relations`] and what hangs on them are concerned.
    pub hash: String,
    /// The names that were looked at.
    pub relations: Vec<RelationName>,
}

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: it is as the project wants it.
    Unchanged,
    /// It is created.
    Create,
    /// It is changed in place.
    Alter,
    /// It gets another name or schema and is otherwise left alone.
    Rename,
    /// It is built anew beside the old one, and their names are swapped.
    Swap,
    /// It is made anew at the cost of rows or with its name missing meanwhile.
    Replace,
    /// It is dropped.
    Drop,
    /// It was changed outside of rwt, and is left so.
    Drifted,
    /// It exists and the state does not know it: `rwt adopt`. With [`Options::adopt`] it enters the state.
    Adopt,
    /// Its materialization runs.
    Run,
    /// Its node is gone from the project; it stays.
    Removed,
    /// It should change, and does not: see [`ObjectPlan::blocked`].
    Blocked,
}

/// What is decided for an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectPlan {
    /// The node.
    pub unique_id: String,
    /// The node's name.
    pub name: String,
    /// The relation after the plan.
    pub relation: RelationName,
    /// What it is after the plan.
    pub kind: Kind,
    /// The decision.
    pub action: Action,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What it costs.
    pub consequences: Vec<Consequence>,
    /// Why it does not change.
    pub blocked: Option<Blocked>,
    /// How it differs from what rwt remembers.
    pub drift: Vec<Drift>,
    /// The unified difference of its statements, secrets hidden; empty where its text has not changed.
    pub diff: String,
    /// Other remarks.
    pub notes: Vec<String>,
    /// Its id before the plan.
    pub object_id: Option<ObjectId>,
    /// What to record when the step that completes it has ended; at once where no step does and the record differs.
    pub record: Option<Record>,
}

/// An object's part of the state, as far as a plan knows it: the executor adds id, columns, deployment and time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its relation.
    pub relation: RelationName,
    /// What it is.
    pub kind: Kind,
    /// What it was made from, as hashes.
    pub fingerprint: Fingerprint,
    /// What it was made from, as text.
    pub definition: Definition,
}

/// Why an object changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Reason {
    /// It does not exist.
    New,
    /// It was dropped outside of rwt.
    Missing,
    /// Its CREATE statement says something else.
    Definition,
    /// It becomes another kind of object.
    Kind {
        /// What it was.
        from: Kind,
    },
    /// It has another name or schema.
    Relation {
        /// What it was called.
        from: RelationName,
    },
    /// The node has another name, and nothing else has changed.
    Node {
        /// The node's old unique id.
        from: String,
    },
    /// What it reads is built anew.
    Input {
        /// The nodes.
        unique_ids: Vec<String>,
    },
    /// The table that it writes to is built anew.
    Target {
        /// The node.
        unique_id: String,
    },
    /// It is bound to an older object of what it reads.
    StaleInput {
        /// The nodes.
        unique_ids: Vec<String>,
    },
    /// Indexes differ.
    Indexes {
        /// To be created.
        added: Vec<String>,
        /// To be dropped.
        removed: Vec<String>,
    },
    /// Rights differ.
    Grants,
    /// Descriptions differ.
    Comments,
    /// Settings of the living object differ.
    Tuning {
        /// Their names.
        settings: Vec<String>,
    },
    /// Columns are added.
    Columns {
        /// Their names.
        added: Vec<String>,
    },
    /// `--full-refresh`
    FullRefresh,
    /// It was changed outside of rwt.
    Drift,
    /// Its node is no longer in the project.
    NotInProject,
    /// Its materialization is more than one CREATE.
    Imperative {
        /// The materialization.
        materialization: String,
    },
    /// The state does not know it.
    Unknown {
        /// The server shows the definition that the project wants; none where it shows none.
        same: Option<bool>,
    },
}

/// What a change costs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "consequence")]
pub enum Consequence {
    /// Rows are lost that nothing brings back.
    LosesRows {
        /// The table.
        relation: RelationName,
    },
    /// The table is filled anew by its query; rows that were inserted otherwise are lost.
    RowsFromQuery {
        /// The table.
        relation: RelationName,
    },
    /// The Iceberg table goes with its rows.
    LosesLake {
        /// The table.
        relation: RelationName,
    },
    /// The sink emits all rows that are there once more.
    EmitsAgain {
        /// The sink.
        relation: RelationName,
        /// What receives them: a table's name, a connector's.
        into: String,
        /// The receiver has a key, so that repeated rows replace one another.
        keyed: bool,
    },
    /// What the receiver holds already stays, in the lake too.
    ReceiverKeepsRows {
        /// The sink.
        relation: RelationName,
        /// What receives them.
        into: String,
    },
    /// The sink goes on with later changes only: what differs between the old and the new result is not emitted.
    SkipsDifference {
        /// The sink.
        relation: RelationName,
    },
    /// A few changes may be emitted twice while the new sink takes over.
    EmitsOverlap {
        /// The sink.
        relation: RelationName,
    },
    /// What a subscriber has not yet read is lost; cursors begin anew.
    LosesPosition {
        /// The subscription.
        relation: RelationName,
    },
    /// A source is read anew.
    RestartsReading {
        /// The source.
        relation: RelationName,
        /// `earliest`, `latest`, …: where reading begins.
        mode: String,
    },
    /// The name cannot be read for the time of a statement.
    NameMissingBriefly {
        /// The name.
        relation: RelationName,
    },
    /// The name cannot be read while the object is built.
    NameMissing {
        /// The name.
        relation: RelationName,
    },
    /// A view cannot be read from the moment that what it reads goes to another schema until the new one has its name.
    NameMissingSinceMove {
        /// The view.
        relation: RelationName,
        /// The nodes that go to another schema.
        moved: Vec<String>,
    },
    /// Readers of the old name must use the new one.
    NameGone {
        /// The old name.
        relation: RelationName,
    },
    /// Objects that are not part of this plan stay on the old object, which is kept.
    LeavesBehind {
        /// The name that the old object has afterwards.
        kept_as: RelationName,
        /// What stays on it.
        dependents: Vec<RelationName>,
    },
}

impl Consequence {
    /// Whether it needs `--allow-destructive`: rows or positions are lost, or rows are emitted once more.
    pub fn is_destructive(&self) -> bool {
        match self {
            Self::LosesRows { .. }
            | Self::RowsFromQuery { .. }
            | Self::LosesLake { .. }
            | Self::EmitsAgain { .. }
            | Self::LosesPosition { .. } => true,
            // From the earliest message on, a topic gives what it still holds.
            Self::RestartsReading { mode, .. } => mode != "earliest",
            Self::ReceiverKeepsRows { .. }
            | Self::SkipsDifference { .. }
            | Self::EmitsOverlap { .. }
            | Self::NameMissingBriefly { .. }
            | Self::NameMissing { .. }
            | Self::NameMissingSinceMove { .. }
            | Self::NameGone { .. }
            | Self::LeavesBehind { .. } => false,
        }
    }
}

/// Why an object that should change does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "blocked")]
pub enum Blocked {
    /// It would lose rows or emit again, which was not allowed: [`ObjectPlan::consequences`] says what.
    NotAllowed {
        /// What would be done.
        would: Action,
    },
    /// Others that it goes together with are blocked.
    WaitsFor {
        /// Their unique ids.
        unique_ids: Vec<String>,
    },
    /// What it reads is not there and not selected.
    NothingToRead {
        /// The nodes.
        unique_ids: Vec<String>,
    },
    /// The server cannot do it.
    TooOld {
        /// What it lacks.
        feature: Feature,
        /// The first version that has it.
        needs: ServerVersion,
        /// The server's version.
        has: ServerVersion,
    },
    /// Another object has the name.
    NameTaken {
        /// What it is.
        kind: Kind,
        /// Its node, if it has one.
        unique_id: Option<String>,
    },
    /// Objects hang on it that cannot follow.
    HasDependents {
        /// Their names.
        dependents: Vec<RelationName>,
    },
    /// Somebody is still creating it.
    Creating,
    /// The configuration says that such a change is an error.
    Refused {
        /// The key: `on_configuration_change`, `on_schema_change`.
        key: String,
    },
}

/// How an object differs from what rwt remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "drift")]
pub enum Drift {
    /// Another object has its name.
    Recreated {
        /// The object that rwt knows.
        was: ObjectId,
        /// The one that is there.
        is: ObjectId,
    },
    /// It is of another kind.
    Kind {
        /// The kind that is there.
        is: Kind,
    },
    /// It has another name.
    Renamed {
        /// The name that it has.
        is: RelationName,
    },
    /// A column is new, or has another type.
    ColumnAdded {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// A column is gone, or has another type.
    ColumnRemoved {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// An index is gone.
    IndexMissing {
        /// The index.
        index: String,
    },
    /// An index is there that rwt has not made.
    IndexAdded {
        /// The index.
        index: String,
    },
}
