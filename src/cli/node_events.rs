//! dbt's events of nodes: what has begun, what it came to, and how all of it went, for logs.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rwt_compiler::Compiler;
use rwt_compiler::artifacts::RunResult;
use rwt_plan::counted;
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use serde_json::{Value, json};

use crate::apply::{NodeReport, Status};
use crate::testing::{TestReport, Verdict};
use crate::ui::{Event, EventLevel, RunProgress, thread_name};

/// Writes the events of nodes, in dbt's order.
pub(super) struct NodeEvents<'a> {
    compiler: &'a Compiler,
    progress: &'a RunProgress,
    begun: &'a Begun,
}

/// The nodes of which was said that they have begun.
#[derive(Debug, Default)]
pub(super) struct Begun {
    ids: Mutex<HashSet<String>>,
    count: AtomicUsize,
}

/// How a node ended, as events have it.
struct Ended<'r> {
    status: &'r str,
    started_at: DateTime<Utc>,
    completed_at: DateTime<Utc>,
    result: RunResult,
}

impl<'a> NodeEvents<'a> {
    pub(super) fn new(compiler: &'a Compiler, progress: &'a RunProgress, begun: &'a Begun) -> Self {
        Self {
            compiler,
            progress,
            begun,
        }
    }

    /// A node has begun. `total` is how many there are, where that is known.
    pub(super) fn begins(&self, id: &str, thread: usize, total: usize) {
        let Some(node) = self.node(id) else {
            return;
        };
        let mut ids = self
            .begun
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !self.progress.has_log() || !ids.insert(id.to_owned()) {
            return;
        }
        drop(ids);
        self.started(node, thread, Utc::now());
        let index = self.begun.count.fetch_add(1, Ordering::Relaxed) + 1;
        let description = described(node);
        let text = format!("{index} of {total} START {description}");
        let event = Event::new("LogStartLine", "Q011", EventLevel::Info, text)
            .field("description", description)
            .field("index", index)
            .field("total", total)
            .field(
                "node_info",
                node_info(node, "started", Some(Utc::now()), None),
            )
            .on_thread(thread);
        self.progress.event(&event);
    }

    /// A model, seed or snapshot has ended, which is shown as `line`.
    pub(super) fn ended(&self, line: &str, index: usize, total: usize, report: &NodeReport) {
        let node = self
            .node(&report.unique_id)
            .filter(|_| self.progress.has_log());
        let Some(node) = node else {
            return self.progress.line(line);
        };
        let result = report.result(None, Some(node.relation_name()));
        let ended = Ended {
            status: &result.status.clone(),
            started_at: report.started_at,
            completed_at: report.completed_at,
            result,
        };
        let is_skipped = report.status == Status::Skipped;
        let (name, code) = match node.resource_type {
            _ if is_skipped => ("SkippingDetails", "Q034"),
            ResourceType::Seed => ("LogSeedResult", "Q016"),
            ResourceType::Snapshot => ("LogSnapshotResult", "Q015"),
            ResourceType::Function => ("LogFunctionResult", "Q047"),
            _ => ("LogModelResult", "Q012"),
        };
        let failed = ended.status == "error";
        let level = if failed {
            EventLevel::Error
        } else {
            EventLevel::Info
        };
        // dbt's field is the database's answer, and the word where it went wrong.
        let status = match failed || report.message.is_empty() {
            true => ended.status,
            false => report.message.as_str(),
        };
        let event = Event::new(name, code, level, line)
            .field("index", index)
            .field("total", total);
        let event = match is_skipped {
            true => event
                .field("resource_type", node.resource_type.word())
                .field("schema", node.schema.as_str())
                .field("node_name", node.name.as_str()),
            false => event
                .field("description", described(node))
                .field("status", status)
                .field("execution_time", report.seconds)
                .field("schema", node.schema.as_str())
                .field("relation", node.identifier.as_str()),
        };
        self.tell(node, line, report.thread, event, &ended);
    }

    /// A test has ended, which is shown as `line`.
    pub(super) fn test_ended(&self, line: &str, index: usize, total: usize, report: &TestReport) {
        let node = self
            .node(&report.unique_id)
            .filter(|_| self.progress.has_log());
        let Some(node) = node else {
            return self.progress.line(line);
        };
        let result = report.result();
        let ended = Ended {
            status: &result.status.clone(),
            started_at: report.started_at,
            completed_at: report.completed_at,
            result,
        };
        let level = match report.status {
            Verdict::Pass | Verdict::Skipped => EventLevel::Info,
            Verdict::Warn => EventLevel::Warn,
            Verdict::Fail | Verdict::Error => EventLevel::Error,
        };
        let event = match report.status {
            Verdict::Skipped => Event::new("SkippingDetails", "Q034", level, line)
                .field("resource_type", report.resource_type)
                .field("schema", node.schema.as_str())
                .field("node_name", node.name.as_str())
                .field("total", total),
            _ => Event::new("LogTestResult", "Q007", level, line)
                .field("name", report.name.as_str())
                .field("status", ended.status)
                .field("num_models", total)
                .field("num_failures", report.failures.unwrap_or_default())
                .field("execution_time", report.seconds),
        };
        self.tell(
            node,
            line,
            report.thread,
            event.field("index", index),
            &ended,
        );
    }

    fn node(&self, id: &str) -> Option<&'a Node> {
        self.compiler.manifest().nodes.get(&UniqueId(id.to_owned()))
    }

    fn started(&self, node: &Node, thread: usize, at: DateTime<Utc>) {
        let text = format!("Began running node {}", node.unique_id.0);
        let event = Event::new("NodeStart", "Q024", EventLevel::Debug, text)
            .field("node_info", node_info(node, "started", Some(at), None))
            .on_thread(thread);
        self.progress.event(&event);
    }

    /// The line of a node that has ended, then its end.
    fn tell(&self, node: &Node, line: &str, thread: usize, event: Event, ended: &Ended<'_>) {
        let mut ids = self
            .begun
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_new = ids.insert(node.unique_id.0.clone());
        drop(ids);
        // Who had nothing to do has begun nothing, and dbt says that it has.
        if is_new {
            self.started(node, thread, ended.started_at);
        }
        let times = (Some(ended.started_at), Some(ended.completed_at));
        let info = node_info(node, ended.status, times.0, times.1);
        let event = event.field("node_info", info.clone()).on_thread(thread);
        self.progress.line_of(line, &event);
        let text = format!("Finished running node {}", node.unique_id.0);
        let event = Event::new("NodeFinished", "Q025", EventLevel::Debug, text)
            .field("node_info", info)
            .field("run_result", run_result(&ended.result, thread))
            .on_thread(thread);
        self.progress.event(&event);
    }
}

/// dbt's words for a node in a line.
fn described(node: &Node) -> String {
    let relation = format!("{}.{}", node.schema, node.identifier);
    match node.resource_type {
        ResourceType::Model => format!("sql {} model {relation}", node.materialized),
        ResourceType::Test | ResourceType::UnitTest => {
            format!("{} {}", node.resource_type.word(), node.name)
        }
        kind => format!("{} {relation}", kind.word()),
    }
}

/// Times of `node_info` have no zone.
fn bare_time(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string())
        .unwrap_or_default()
}

fn node_info(
    node: &Node,
    status: &str,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
) -> Value {
    let meta = node.config.get("meta").filter(|meta| meta.is_object());
    json!({
        "materialized": node.materialized,
        "meta": meta.cloned().unwrap_or_else(|| json!({})),
        "node_finished_at": bare_time(finished_at),
        "node_name": node.name,
        "node_path": node.path.display().to_string(),
        "node_relation": {
            "alias": node.identifier,
            "database": node.database,
            "relation_name": node.relation_name(),
            "schema": node.schema,
        },
        "node_started_at": bare_time(started_at),
        "node_status": status,
        "resource_type": node.resource_type.word(),
        "unique_id": node.unique_id.0,
    })
}

fn run_result(result: &RunResult, thread: usize) -> Value {
    json!({
        "adapter_response": result.adapter_response,
        "execution_time": result.execution_time,
        "message": result.message.as_deref().unwrap_or_default(),
        "num_failures": result.failures.unwrap_or_default(),
        "status": result.status,
        "thread": thread_name(thread),
        "timing_info": result.timing,
    })
}

/// How all of it went: the numbers, and the summary.
pub(super) fn summary(results: &[RunResult]) -> [Event; 2] {
    let count = |words: &[&str]| {
        let results = results.iter();
        results
            .filter(|result| words.contains(&result.status.as_str()))
            .count()
    };
    let (pass, warn) = (count(&["success", "pass"]), count(&["warn"]));
    let (error, skip) = (
        count(&["error", "fail", "partial success"]),
        count(&["skipped"]),
    );
    let noop = count(&["no-op"]);
    let total = results.len();
    let text = format!(
        "Done. PASS={pass} WARN={warn} ERROR={error} SKIP={skip} NO-OP={noop} REUSED=0 TOTAL={total}"
    );
    let stats = json!({
        "error": error, "noop": noop, "pass": pass, "reused": 0, "skip": skip, "total": total, "warn": warn,
    });
    let closing = match (error, warn) {
        (0, 0) => "Completed successfully".to_owned(),
        (0, warn) => format!("Completed with {}:", counted(warn, "warning")),
        (error, warn) => format!(
            "Completed with {}, 0 partial successes, and {}:",
            counted(error, "error"),
            counted(warn, "warning")
        ),
    };
    [
        Event::new("EndOfRunSummary", "Z030", EventLevel::Info, closing)
            .field("num_errors", error)
            .field("num_warnings", warn)
            .field("num_partial_success", 0)
            .field("keyboard_interrupt", false),
        Event::new("StatsLine", "Z023", EventLevel::Info, text).field("stats", stats),
    ]
}
