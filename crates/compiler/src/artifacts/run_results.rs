//! `run_results.json`, version 6 (<https://schemas.getdbt.com/dbt/run-results/v6.json>).

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::metadata::{Invocation, Metadata, time};

/// How the nodes of a command ended.
#[derive(Debug, Serialize)]
pub struct RunResults<'a> {
    metadata: Metadata<'a>,
    results: Vec<RunResult>,
    elapsed_time: f64,
    args: Map<String, Value>,
}

/// How one node ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RunResult {
    /// dbt's word: `success`, `error`, `skipped`, `pass`, `fail`, `warn`, `no-op`.
    pub status: String,
    /// What took time.
    pub timing: Vec<Timing>,
    /// `Thread-<n>`, or `main` for what needed none.
    pub thread_id: String,
    /// Seconds.
    pub execution_time: f64,
    /// What the database answered: `_message`, `code`, `rows_affected`.
    pub adapter_response: Map<String, Value>,
    /// What the database or rwt said.
    pub message: Option<String>,
    /// Failing rows of a test.
    pub failures: Option<u64>,
    /// The node.
    pub unique_id: String,
    /// Whether its text was rendered; none for a seed.
    pub compiled: Option<bool>,
    /// The rendered text.
    pub compiled_code: Option<String>,
    /// The quoted relation; none for what is no relation.
    pub relation_name: Option<String>,
    /// Batches of a microbatch model.
    pub batch_results: Option<Value>,
    /// Overloads of a function.
    pub overload_results: Option<Value>,
}

/// A part of a node's time.
#[derive(Debug, Clone, Serialize)]
pub struct Timing {
    /// `compile` or `execute`
    pub name: &'static str,
    /// As [`super::time`] writes it.
    pub started_at: String,
    /// See `started_at`.
    pub completed_at: String,
}

impl Timing {
    /// The time in which a node was carried out.
    pub fn execute(started_at: DateTime<Utc>, completed_at: DateTime<Utc>) -> Self {
        Self {
            name: "execute",
            started_at: time(started_at),
            completed_at: time(completed_at),
        }
    }
}

impl<'a> RunResults<'a> {
    /// The results of a command. `args` are its options; values of `vars` whose names are those of secrets are left out.
    pub fn new(
        invocation: &'a Invocation,
        results: Vec<RunResult>,
        elapsed_time: f64,
        mut args: Map<String, Value>,
    ) -> Self {
        if let Some(Value::Object(vars)) = args.get_mut("vars") {
            for (name, value) in vars {
                if rwt_project::profile::is_secret_name(name) {
                    *value = Value::from("*****");
                }
            }
        }
        Self {
            metadata: invocation.metadata("run-results/v6"),
            results,
            elapsed_time,
            args,
        }
    }
}
