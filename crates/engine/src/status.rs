//! What the engine tells about itself, for people and for `rwt_engine`'s system tables.

use serde::Serialize;

use crate::catalog::{Catalog, Kind, ObjectId, SinkFrom};
use crate::engine::Inner;

/// The engine at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The last checkpoint.
    pub checkpoint: u64,
    /// Between two checkpoints, in milliseconds.
    pub barrier_interval_ms: u64,
    /// Open sessions.
    pub sessions: usize,
    /// Tables without a connector or an engine.
    pub tables: Vec<TableStatus>,
    /// Sources and tables with a connector.
    pub sources: Vec<SourceStatus>,
    /// Tables in the lake.
    pub lake_tables: Vec<LakeTableStatus>,
    /// Sinks.
    pub sinks: Vec<SinkStatus>,
    /// Materialized views.
    pub materialized_views: Vec<ViewStatus>,
    /// What is held in memory.
    pub memory: MemoryStatus,
}

/// A materialized view.
#[derive(Debug, Clone, Serialize)]
pub struct ViewStatus {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How often it was computed since the engine's start.
    pub computed: u64,
    /// Memory of the kept result, in bytes; none is kept before the first reading, or when memory was needed.
    pub result_bytes: Option<u64>,
}

/// What is held in memory, in bytes.
#[derive(Debug, Clone, Serialize)]
pub struct MemoryStatus {
    /// What all of it may be.
    pub limit: u64,
    /// The rows of each relation that has some, by its qualified name.
    pub rows: Vec<(String, u64)>,
    /// Kept results of materialized views.
    pub results: u64,
    /// Indexes of keyed tables, and the results that sinks and subscriptions compare with.
    pub working: u64,
    /// Rows that wait for the next checkpoint.
    pub waiting: u64,
    /// Queries that run.
    pub queries: u64,
}

/// A table.
#[derive(Debug, Clone, Serialize)]
pub struct TableStatus {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// A source, or a table with a connector.
#[derive(Debug, Clone, Serialize)]
pub struct SourceStatus {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The topic.
    pub topic: String,
    /// Why nothing is read, while that is so.
    pub trouble: Option<String>,
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
}

/// One partition of a source.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionStatus {
    /// Its number.
    pub partition: i32,
    /// The next offset to read, in the last checkpoint.
    pub position: Option<i64>,
    /// The topic's end, when it was looked at last.
    pub end: Option<i64>,
    /// Messages that became rows.
    pub rows: u64,
    /// Messages that no row was made of.
    pub skipped: u64,
    /// Messages whose row has a NULL that the message did not say.
    pub null_padded: u64,
    /// The last message that was skipped or padded: `offset 17: not JSON: …`.
    pub last_problem: Option<String>,
    /// The timestamp of the newest message, in milliseconds since 1970.
    pub last_event_at: Option<i64>,
}

/// A table in the lake.
#[derive(Debug, Clone, Serialize)]
pub struct LakeTableStatus {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Rows that this engine committed.
    pub committed_rows: u64,
    /// Rows that wait for the next commit.
    pub pending_rows: u64,
    /// Commits of this engine.
    pub commits: u64,
    /// When the last one was seen, in microseconds since 1970.
    pub last_commit_at: Option<i64>,
    /// Why the present commit does not arrive.
    pub trouble: Option<String>,
}

/// A sink.
#[derive(Debug, Clone, Serialize)]
pub struct SinkStatus {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it reads: a relation's name, or `a query`.
    pub from: String,
    /// The table it writes, the topic, or the connector's name.
    pub into: String,
    /// Messages that the broker has; of a sink to Kafka alone.
    pub sent: Option<u64>,
    /// Messages that wait for the broker.
    pub pending: u64,
    /// Why they do not arrive.
    pub trouble: Option<String>,
}

pub(crate) fn status(inner: &Inner) -> Status {
    let state = inner.state();
    let catalog = &state.catalog;
    let place = |id: ObjectId| {
        catalog
            .get(id)
            .map(|o| (catalog.schema_name(o.schema).to_owned(), o.name.clone()))
            .unwrap_or_default()
    };
    let rows = |id: ObjectId| state.tables.get(&id).map_or(0, |t| t.rows() as u64);
    let mut status = Status {
        checkpoint: state.checkpoint,
        barrier_interval_ms: u64::try_from(inner.interval().as_millis()).unwrap_or(u64::MAX),
        sessions: crate::engine::locked(&inner.sessions).len(),
        tables: Vec::new(),
        sources: Vec::new(),
        lake_tables: Vec::new(),
        sinks: Vec::new(),
        materialized_views: Vec::new(),
        memory: memory(inner),
    };
    let troubles = inner.troubles();
    for object in catalog.objects.values().filter(|o| o.part_of.is_none()) {
        let (schema, name) = place(object.id);
        if let Some(source) = object.source() {
            status.sources.push(source_status(
                inner,
                object.id,
                schema,
                name,
                source.option("topic"),
            ));
        } else if object.lake().is_some() {
            let progress = state
                .lakes
                .get(&object.id)
                .map(|p| p.as_ref().clone())
                .unwrap_or_default();
            let pending = state.tables.get(&object.id).map_or(0, |t| {
                t.rows_from(progress.committed_before)
                    .map_or(0, |rows| rows.iter().map(|b| b.num_rows() as u64).sum())
            });
            status.lake_tables.push(LakeTableStatus {
                schema,
                name,
                committed_rows: progress.committed_rows,
                pending_rows: pending,
                commits: progress.commits,
                last_commit_at: progress.last_commit_at,
                trouble: troubles.get(&object.id).cloned(),
            });
        } else if object.kind() == Kind::MaterializedView {
            let result = inner.results.status(object.id);
            status.materialized_views.push(ViewStatus {
                schema,
                name,
                computed: result.computed,
                result_bytes: result.bytes.map(|bytes| bytes as u64),
            });
        } else if object.kind() == Kind::Table {
            status.tables.push(TableStatus {
                schema,
                name,
                rows: rows(object.id),
            });
        } else if let Some(sink) = object.sink() {
            status.sinks.push(SinkStatus {
                schema,
                name,
                from: match &sink.from {
                    SinkFrom::Relation(id) => relation_name(catalog, *id),
                    SinkFrom::Query(_) => "a query".into(),
                },
                into: match (&sink.into, &sink.messages) {
                    (Some((id, _)), _) => relation_name(catalog, *id),
                    (None, Some(_)) => sink.option("topic").unwrap_or_default().to_owned(),
                    (None, None) => sink.connector.to_lowercase(),
                },
                sent: sink.messages.as_ref().map(|_| {
                    let all = state.tables.get(&object.id).map_or(0, |t| t.next_row_id());
                    u64::try_from(all)
                        .unwrap_or(0)
                        .saturating_sub(rows(object.id))
                }),
                pending: rows(object.id),
                trouble: troubles.get(&object.id).cloned(),
            });
        }
    }
    status
}

fn memory(inner: &Inner) -> MemoryStatus {
    let state = inner.state();
    let mut rows: Vec<(String, u64)> = state
        .tables
        .iter()
        .filter(|(_, table)| table.bytes() > 0)
        .map(|(id, table)| (relation_name(&state.catalog, *id), table.bytes() as u64))
        .collect();
    rows.sort_unstable();
    MemoryStatus {
        limit: inner.memory.limit(),
        rows,
        results: inner.results.bytes() as u64,
        working: inner.memory.working() as u64,
        waiting: inner.waiting_bytes() as u64,
        queries: inner.queries.memory() as u64,
    }
}

fn relation_name(catalog: &Catalog, id: ObjectId) -> String {
    catalog
        .get(id)
        .map_or_else(String::new, |o| catalog.qualified(o))
}

fn source_status(
    inner: &Inner,
    id: ObjectId,
    schema: String,
    name: String,
    topic: Option<&str>,
) -> SourceStatus {
    let state = inner.state();
    let (trouble, ends) = inner.source_status(id);
    let mut partitions: Vec<PartitionStatus> = Vec::new();
    if let Some(progress) = state.sources.get(&id) {
        partitions.extend(progress.partitions.iter().map(|(partition, p)| {
            PartitionStatus {
                partition: *partition,
                position: p.position,
                end: ends.get(partition).copied(),
                rows: p.rows,
                skipped: p.skipped,
                null_padded: p.null_padded,
                last_problem: p
                    .last_problem
                    .as_ref()
                    .map(|l| format!("offset {}: {}", l.offset, l.reason)),
                last_event_at: p.last_event_at,
            }
        }));
    }
    SourceStatus {
        schema,
        name,
        topic: topic.unwrap_or_default().to_owned(),
        trouble,
        partitions,
    }
}
