//! What a run did, for people, for `--output json` and for `target/run_results.json`.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use rwt_compiler::CompileError;
use rwt_compiler::artifacts::{RunResult, Timing};
use rwt_plan::counted;
use rwt_plan::plan::{Action, ObjectPlan};
use rwt_project::manifest::Node;
use serde::Serialize;
use serde_json::Value;

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its statements ran.
    Created,
    /// It was changed in place.
    Altered,
    /// It has another name.
    Renamed,
    /// It was built anew beside the old one, and their names were swapped.
    Swapped,
    /// It was made anew.
    Replaced,
    /// It was dropped.
    Dropped,
    /// It should change, and was left as it is: the message says why.
    Blocked,
    /// It was there already, and nothing was sent.
    Unchanged,
    /// It failed.
    Error,
    /// It was not tried, because something it reads failed or the run was interrupted.
    Skipped,
}

impl Status {
    /// What a node has become when all that a plan does to it is done.
    pub fn of(action: Action) -> Self {
        match action {
            Action::Create | Action::Run => Self::Created,
            Action::Alter => Self::Altered,
            Action::Rename => Self::Renamed,
            Action::Swap => Self::Swapped,
            Action::Replace => Self::Replaced,
            Action::Drop => Self::Dropped,
            Action::Blocked => Self::Blocked,
            Action::Unchanged | Action::Drifted | Action::Adopt | Action::Removed => {
                Self::Unchanged
            }
        }
    }
}

/// One node's part of a run.
#[derive(Debug, Serialize)]
pub struct NodeReport {
    /// dbt's id.
    pub unique_id: String,
    /// The model's name.
    pub name: String,
    /// `schema.identifier`
    pub relation: String,
    /// Its materialization.
    pub materialized: String,
    /// How it ended.
    pub status: Status,
    /// What the database answered, or why there was nothing to answer.
    pub message: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Which thread ran it, from 1.
    pub thread: usize,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: DateTime<Utc>,
    /// Models that depend on it, directly or not, and were skipped for it.
    pub skipped_children: Vec<String>,
    /// The error with its place, for people.
    #[serde(skip)]
    pub error: Option<miette::Report>,
}

impl NodeReport {
    /// A report that says "skipped" until more is known.
    pub fn of(object: &ObjectPlan, materialized: Option<&str>) -> Self {
        let kind = || object.kind.to_string().replace(' ', "_");
        let relation = format!("{}.{}", object.relation.schema, object.relation.name);
        let materialized = materialized.map_or_else(kind, str::to_owned);
        Self::skipped(&object.unique_id, &object.name, relation, materialized)
    }

    /// The report of a node that is not built.
    pub fn left_out(node: &Node, why: &str) -> Self {
        let relation = format!("{}.{}", node.schema, node.identifier);
        let materialized = node.materialized.clone();
        Self {
            message: format!("SKIP: {why}"),
            ..Self::skipped(&node.unique_id.0, &node.name, relation, materialized)
        }
    }

    /// The report of a node that cannot be compiled, with the names of what is skipped for it.
    pub fn not_compiled(node: &Node, error: CompileError, skipped_children: Vec<String>) -> Self {
        Self {
            status: Status::Error,
            message: error.to_string(),
            skipped_children,
            error: Some(error.into()),
            ..Self::left_out(node, "")
        }
    }

    fn skipped(unique_id: &str, name: &str, relation: String, materialized: String) -> Self {
        let now = Utc::now();
        Self {
            unique_id: unique_id.to_owned(),
            name: name.to_owned(),
            relation,
            materialized,
            status: Status::Skipped,
            message: String::new(),
            seconds: 0.0,
            thread: 0,
            started_at: now,
            completed_at: now,
            skipped_children: Vec::new(),
            error: None,
        }
    }
}

/// A whole run.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// One entry per selected node, in the order in which they ended.
    pub nodes: Vec<NodeReport>,
    /// How long all of it took, in seconds.
    pub seconds: f64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Something that belongs to no node failed, such as a hook of the project; it was said when it happened.
    pub other_failure: bool,
}

impl RunReport {
    fn count(&self, status: Status) -> usize {
        self.nodes.iter().filter(|n| n.status == status).count()
    }

    /// Whether a node failed or was skipped, or something besides.
    pub fn failed(&self) -> bool {
        self.other_failure || self.nodes_failed()
    }

    /// Whether a node failed or was skipped.
    pub fn nodes_failed(&self) -> bool {
        self.count(Status::Error) + self.count(Status::Blocked) + self.count(Status::Skipped) > 0
    }

    /// Whether nothing at all was changed.
    pub fn nothing_changed(&self) -> bool {
        self.count(Status::Unchanged) == self.nodes.len()
    }

    /// `3 sources, 6 tables, …` in the order of the materializations' names.
    pub fn kinds(&self) -> String {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for node in &self.nodes {
            *kinds.entry(&node.materialized).or_default() += 1;
        }
        let parts: Vec<String> = kinds
            .into_iter()
            .map(|(kind, count)| counted(count, &kind.replace('_', " ")))
            .collect();
        parts.join(", ")
    }
}

impl fmt::Display for RunReport {
    /// The closing lines, in dbt's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nodes.is_empty() {
            return write!(f, "Nothing to do: no model is selected.");
        }
        writeln!(
            f,
            "Finished running {} in {:.2}s.",
            self.kinds(),
            self.seconds
        )?;
        writeln!(f)?;
        let errors = self.count(Status::Error);
        let blocked = self.count(Status::Blocked);
        if errors > 0 {
            writeln!(f, "Completed with {}:", counted(errors, "error"))?;
            for node in self.nodes.iter().filter(|n| n.status == Status::Error) {
                write!(f, "  {}", node.relation)?;
                if !node.skipped_children.is_empty() {
                    write!(f, " (skipped: {})", node.skipped_children.join(", "))?;
                }
                writeln!(f)?;
            }
        } else if self.other_failure {
            writeln!(f, "Completed with 1 error, which is shown above.")?;
        } else if self.count(Status::Skipped) > 0 {
            writeln!(f, "Interrupted before the end.")?;
        } else if blocked > 0 {
            writeln!(
                f,
                "Completed, but {blocked} changed and stayed as {} {}:",
                if blocked == 1 { "it" } else { "they" },
                if blocked == 1 { "is" } else { "are" }
            )?;
        } else if let ([node], true) = (self.nodes.as_slice(), self.nothing_changed()) {
            writeln!(
                f,
                "Nothing changed: {} was already there. `--full-refresh` builds it anew.",
                node.relation
            )?;
        } else if self.nothing_changed() {
            writeln!(
                f,
                "Nothing changed: all {} were already there. `--full-refresh` builds them anew.",
                self.nodes.len()
            )?;
        } else {
            writeln!(f, "Completed successfully.")?;
        }
        for node in self.nodes.iter().filter(|n| n.status == Status::Blocked) {
            writeln!(f, "  {}: {}", node.relation, node.message)?;
        }
        let failed = errors + blocked + self.count(Status::Skipped);
        let other = usize::from(self.other_failure);
        write!(
            f,
            "Done. PASS={} WARN=0 ERROR={} SKIP={} TOTAL={}",
            self.nodes.len() - failed,
            errors + blocked + other,
            self.count(Status::Skipped),
            self.nodes.len() + other
        )
    }
}

impl NodeReport {
    /// The node's part of run_results.json. `compiled` is its rendered text, `relation` its quoted relation.
    pub fn result(&self, compiled: Option<&str>, relation: Option<String>) -> RunResult {
        let status = match self.status {
            Status::Error | Status::Blocked => "error",
            Status::Skipped => "skipped",
            _ => "success",
        };
        let message = Some(self.message.clone()).filter(|message| !message.is_empty());
        let response = message
            .iter()
            .map(|message| ("_message".to_owned(), Value::from(message.as_str())));
        RunResult {
            status: status.to_owned(),
            timing: match self.status {
                Status::Skipped => Vec::new(),
                _ => vec![Timing::execute(self.started_at, self.completed_at)],
            },
            thread_id: match self.thread {
                0 => "main".to_owned(),
                thread => format!("Thread-{thread}"),
            },
            execution_time: self.seconds,
            adapter_response: response.collect(),
            message,
            unique_id: self.unique_id.clone(),
            // dbt has none of the three for a seed.
            compiled: compiled.map(|_| true),
            compiled_code: compiled.map(str::to_owned),
            relation_name: relation,
            ..RunResult::default()
        }
    }
}
