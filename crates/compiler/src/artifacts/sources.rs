//! `sources.json`, version 3 (<https://schemas.getdbt.com/dbt/sources/v3.json>).

use rwt_project::manifest::Node;
use serde::Serialize;
use serde_json::{Map, Value};

use super::config::freshness;
use super::metadata::{Invocation, Metadata, time};
use super::run_results::Timing;
use crate::compiler::{Freshness, FreshnessStatus};

/// How old the source tables are that could be asked.
#[derive(Debug, Serialize)]
pub struct Sources<'a> {
    metadata: Metadata<'a>,
    results: Vec<SourceResult>,
    elapsed_time: f64,
}

/// How old one of them is.
#[derive(Debug, Clone, Serialize)]
pub struct SourceResult {
    unique_id: String,
    max_loaded_at: String,
    snapshotted_at: String,
    max_loaded_at_time_ago_in_s: f64,
    status: FreshnessStatus,
    criteria: Value,
    adapter_response: Map<String, Value>,
    timing: Vec<Timing>,
    thread_id: String,
    execution_time: f64,
}

impl SourceResult {
    /// What was found out about a source table in so many seconds.
    pub fn new(node: &Node, found: &Freshness, seconds: f64) -> Self {
        Self {
            unique_id: node.unique_id.0.clone(),
            max_loaded_at: time(found.max_loaded_at),
            snapshotted_at: time(found.snapshotted_at),
            max_loaded_at_time_ago_in_s: found.age(),
            status: found.status,
            criteria: freshness(node.config.get("freshness")),
            adapter_response: Map::new(),
            timing: Vec::new(),
            thread_id: "Thread-1".to_owned(),
            execution_time: seconds,
        }
    }
}

impl<'a> Sources<'a> {
    /// The results of a command that took so many seconds.
    pub fn new(invocation: &'a Invocation, results: Vec<SourceResult>, elapsed_time: f64) -> Self {
        Self {
            metadata: invocation.metadata("sources/v3"),
            results,
            elapsed_time,
        }
    }
}
