//! Building a microbatch model: one materialization per batch, each on the rows of its own time.

use std::collections::HashMap;
use std::sync::PoisonError;

use minijinja::Value;
use rwt_project::manifest::{Node, UniqueId};
use serde_json::Value as Json;

use super::build::model_value;
use super::{Compiler, NodeResult};
use crate::error::CompileError;
use crate::jinja::{Level, Scope, SharedSession, datetime, dict, pairs_of};
use crate::materialize::{BUILT_IN, Session};
use crate::microbatch::{Batch, BatchResults, EventTime, Microbatch};

/// The macro that makes a strategy of the project's own out of dbt's.
const STRATEGY: &str = "get_incremental_microbatch_sql";

/// A flag of the project that runs such a strategy batch by batch, too.
const OWN_IN_BATCHES: &str = "require_batched_execution_for_custom_microbatch_strategy";

/// A batch, and what the materialization must know of its place.
#[derive(Debug, Clone)]
pub(super) struct BatchRun {
    pub batch: Batch,
    pub is_first: bool,
    pub is_last: bool,
    /// The table is there and keeps what the other batches have.
    pub is_incremental: bool,
}

impl Compiler {
    /// The batches that a node is built in now; none for a node that is no microbatch model.
    pub(super) fn batches(
        &self,
        node: &Node,
        session: &mut dyn Session,
    ) -> Result<Option<Vec<BatchRun>>, CompileError> {
        // The configuration was checked when the project was read.
        let Some(microbatch) = Microbatch::of(&node.name, &node.config).ok().flatten() else {
            return Ok(None);
        };
        if !session.is_live() || self.has_own_strategy() {
            return Ok(None);
        }
        let found = session
            .relation(&node.schema, &node.identifier)
            .map_err(|refused| self.refused(&node.unique_id, refused))?;
        let full_refresh = node.config.get("full_refresh").and_then(Json::as_bool);
        let is_incremental = found.is_some_and(|found| found.kind == "table")
            && !full_refresh.unwrap_or(self.shared.full_refresh);
        let shared = &self.shared;
        let asked = shared.sample.or(shared.event_time);
        let (batches, is_incremental) = match self.built_before.get(&node.unique_id) {
            // What is there is what the run before has made.
            Some(before) => (
                microbatch.batches_of(&before.failed),
                is_incremental || !before.successful.is_empty(),
            ),
            None => (
                microbatch.batches(is_incremental, asked, shared.started_at),
                is_incremental,
            ),
        };
        let last = batches.len().saturating_sub(1);
        let runs = batches
            .into_iter()
            .enumerate()
            .map(|(index, batch)| BatchRun {
                batch,
                is_first: index == 0,
                is_last: index == last,
                is_incremental: index > 0 || is_incremental,
            });
        Ok(Some(runs.collect()))
    }

    fn has_own_strategy(&self) -> bool {
        let in_batches = self.shared.project_flags.get(OWN_IN_BATCHES);
        let macros = self.jinja.macros();
        let is_own = macros
            .find(STRATEGY)
            .is_some_and(|found| found.package != BUILT_IN);
        is_own && in_batches.and_then(Json::as_bool) != Some(true)
    }

    /// Goes on with microbatch models where an earlier run has stopped: only what failed is built.
    pub fn go_on_with(&mut self, before: HashMap<UniqueId, BatchResults>) {
        self.built_before = before;
    }

    /// What has been built of a microbatch model, by this run and the one that it goes on with; none where it was not begun.
    pub fn batch_results(&self, id: &UniqueId) -> Option<BatchResults> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.get(id).cloned()
    }

    /// Builds the batches one after the other, as dbt does on databases that do not say that they take several at once. One
    /// that fails does not keep the others from being built, but for the first one, without which there may be no table.
    pub(super) fn build_batches(
        &self,
        node: &Node,
        runs: &[BatchRun],
        session: &SharedSession,
    ) -> Result<NodeResult, CompileError> {
        let mut rows = None;
        let mut failure = None;
        let mut successful = Vec::new();
        let mut failed = Vec::new();
        for (index, run) in runs.iter().enumerate() {
            let time = (run.batch.start, run.batch.end);
            if successful.is_empty() && !failed.is_empty() {
                failed.push(time);
                continue;
            }
            self.say_of_batch(
                node,
                Level::Info,
                &format!(
                    "batch {} of {} ({} of {})",
                    run.batch.name,
                    node.name,
                    index + 1,
                    runs.len()
                ),
            );
            match self.build_batch(node, run, session) {
                Ok(result) => {
                    successful.push(time);
                    if let Some(more) = result.rows_affected {
                        rows = Some(rows.unwrap_or(0) + more);
                    }
                }
                Err(error) => {
                    failed.push(time);
                    if failure.is_some() {
                        let text = format!("batch {} failed, too: {error}", run.batch.name);
                        self.say_of_batch(node, Level::Warn, &text);
                    }
                    failure.get_or_insert(error);
                }
            }
        }
        self.keep_batches(node, successful, failed);
        let plural = if runs.len() == 1 { "" } else { "es" };
        failure.map_or_else(
            || {
                Ok(NodeResult {
                    message: format!("{} batch{plural}", runs.len()),
                    changed: true,
                    rows_affected: rows,
                })
            },
            Err,
        )
    }

    fn build_batch(
        &self,
        node: &Node,
        run: &BatchRun,
        session: &SharedSession,
    ) -> Result<NodeResult, CompileError> {
        let body = self.body(node, Some(run), session)?;
        self.build(node, &body, Some(run), session)
    }

    fn say_of_batch(&self, node: &Node, level: Level, text: &str) {
        let reporter = &self.shared.reporter;
        reporter.message(level, Some(&node.unique_id.0), text);
    }

    /// Remembers which batches are built, those of an earlier run too.
    fn keep_batches(&self, node: &Node, successful: Vec<EventTime>, failed: Vec<EventTime>) {
        let before = self.built_before.get(&node.unique_id);
        let mut results = BatchResults {
            successful: before.map_or_else(Vec::new, |before| before.successful.clone()),
            failed,
        };
        results.successful.extend(successful);
        results.successful.sort_unstable();
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.insert(node.unique_id.clone(), results);
    }

    /// Shows a rendering the batch: `model.batch`, and in what it reads only rows of the batch's time.
    pub(super) fn in_batch(&self, scope: &mut Scope, node: &Node, run: &BatchRun) {
        scope.resolver = self.reads(Some(node), Some(&run.batch));
        scope.is_incremental_batch = run.is_incremental;
        if let Some(scope) = &mut scope.node {
            scope.model = batch_model(node, &run.batch);
        }
    }
}

/// `model` of a batch.
fn batch_model(node: &Node, batch: &Batch) -> Value {
    let times = [
        (Value::from("event_time_start"), datetime(batch.start)),
        (Value::from("event_time_end"), datetime(batch.end)),
    ];
    let with = |value: &Value, more: Vec<(Value, Value)>| {
        let pairs = pairs_of(value).unwrap_or_default();
        dict(pairs.into_iter().chain(more))
    };
    let model = model_value(node);
    let config = model.get_attr("config").unwrap_or_default();
    // dbt's older names of the same, which macros of projects read.
    let older = times.iter().map(|(key, value)| {
        let key = format!(
            "__dbt_internal_microbatch_{}",
            key.as_str().unwrap_or_default()
        );
        (Value::from(key), value.clone())
    });
    let config = with(&config, older.collect());
    let batch = dict(
        times
            .into_iter()
            .chain([(Value::from("id"), Value::from(batch.id()))]),
    );
    with(
        &model,
        vec![
            (Value::from("batch"), batch),
            (Value::from("config"), config),
        ],
    )
}
