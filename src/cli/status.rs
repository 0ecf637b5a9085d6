//! `rwt status`

use chrono::{NaiveDateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::args::{GlobalArgs, Output};
use super::context::{Context, DatabaseFailure};
use super::{CommandResult, Exit, Failure};
use crate::client::{Connection, ResultSet};
use crate::stack::topics::Topic;
use crate::stack::{self, Running};
use crate::ui::{Align, Printer, Table, ago};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What a stack, or a cluster with its Kafka, is doing.
#[derive(Debug, Serialize)]
struct StatusReport {
    target: String,
    /// The embedded stack, if it runs.
    stack: Option<Running>,
    /// Resident memory of its process, in bytes.
    memory_bytes: Option<u64>,
    /// What the engine holds of its limit.
    memory: Option<Memory>,
    /// Objects in the target's database, by kind.
    objects: Vec<Objects>,
    sources: Vec<Source>,
    topics: Vec<Topic>,
    lake: Vec<LakeTable>,
    /// Sinks to Kafka.
    sinks: Vec<Sink>,
}

/// What the engine holds in memory, in bytes.
#[derive(Debug, Serialize)]
struct Memory {
    /// What all of it may be.
    limit: u64,
    /// Rows of tables and sources, and what waits for the next checkpoint.
    rows: u64,
    /// Kept results of materialized views.
    results: u64,
    /// Indexes of keyed tables, and what sinks and subscriptions compare with.
    working: u64,
    /// Queries that run.
    queries: u64,
}

/// A sink to Kafka.
#[derive(Debug, Serialize)]
struct Sink {
    name: String,
    topic: String,
    /// Messages that the broker has.
    sent: u64,
    /// Messages that wait for it.
    pending: u64,
    /// Why they do not arrive.
    trouble: Option<String>,
}

#[derive(Debug, Serialize)]
struct Objects {
    kind: String,
    count: u64,
}

/// One partition that a source reads.
#[derive(Debug, Serialize)]
struct Source {
    name: String,
    topic: String,
    partition: String,
    rows: u64,
    /// Messages that no row could be made of.
    skipped: u64,
    /// Messages with a value that became NULL.
    null_padded: u64,
    /// Messages that it has not read yet.
    behind: i64,
    last_problem: Option<String>,
    last_event_at: Option<String>,
    /// Why nothing is read, while that is so.
    trouble: Option<String>,
}

#[derive(Debug, Serialize)]
struct LakeTable {
    name: String,
    committed_rows: u64,
    pending_rows: u64,
    commits: u64,
    last_commit_at: Option<String>,
    trouble: Option<String>,
}

pub(super) fn main(global: &GlobalArgs, args: &StatusArgs, printer: &Printer) -> CommandResult {
    let context = Context::load(global, printer)?;
    let stack = match context.place() {
        Some(place) => stack::running(&place.data_dir).map_err(super::context::unexpected(
            "the stack's state cannot be read",
        ))?,
        None => None,
    };
    if context.place().is_some() && stack.is_none() {
        if args.output.is_json() {
            printer.document(&serde_json::json!({"target": context.target().name, "stack": null}));
        } else {
            printer.line("The embedded stack is not running; `rwt up` starts it.");
        }
        return Ok(Exit::Ok);
    }
    let report = report(&context, stack)?;
    if args.output.is_json() {
        printer.document(&report);
    } else {
        printer.raw(&text(&report));
    }
    Ok(Exit::Ok)
}

fn report(context: &Context, stack: Option<Running>) -> Result<StatusReport, Failure> {
    let connection = context.connector().connect()?;
    let topics = match context.broker() {
        Some(broker) => broker.topics()?,
        None => Vec::new(),
    };
    let embedded = stack.is_some();
    Ok(StatusReport {
        target: context.target().name.clone(),
        memory_bytes: stack.as_ref().and_then(|running| memory(running.pid)),
        memory: match &stack {
            Some(_) => Some(engine_memory(&connection)?),
            None => None,
        },
        stack,
        objects: objects(&connection)?,
        sources: if embedded {
            sources(&connection)?
        } else {
            Vec::new()
        },
        topics,
        lake: if embedded {
            lake(&connection)?
        } else {
            Vec::new()
        },
        sinks: if embedded {
            sinks(&connection)?
        } else {
            Vec::new()
        },
    })
}

fn query(connection: &Connection, sql: &str) -> Result<ResultSet, Failure> {
    Ok(connection
        .query(sql)
        .map_err(DatabaseFailure::new("the status cannot be read"))?)
}

fn objects(connection: &Connection) -> Result<Vec<Objects>, Failure> {
    let rows = query(
        connection,
        "select r.relation_type, count(*) from rw_catalog.rw_relations r \
         join rw_catalog.rw_schemas s on r.schema_id = s.id \
         where s.name not in ('rw_catalog', 'pg_catalog', 'information_schema', 'rwt_engine') \
         and not starts_with(r.name, '__iceberg_') \
         group by r.relation_type order by r.relation_type",
    )?
    .rows;
    Ok(rows
        .into_iter()
        .map(|row| Objects {
            kind: cell(&row, 0).unwrap_or_default(),
            count: number(&row, 1),
        })
        .collect())
}

fn sources(connection: &Connection) -> Result<Vec<Source>, Failure> {
    let rows = query(
        connection,
        "select name, topic, partition, rows, skipped, null_padded, end_offset - \"position\", last_problem, last_event_at, trouble \
         from rwt_engine.sources order by name, partition",
    )?
    .rows;
    Ok(rows
        .into_iter()
        .map(|row| Source {
            name: cell(&row, 0).unwrap_or_default(),
            topic: cell(&row, 1).unwrap_or_default(),
            partition: cell(&row, 2).unwrap_or_default(),
            rows: number(&row, 3),
            skipped: number(&row, 4),
            null_padded: number(&row, 5),
            behind: number(&row, 6),
            last_problem: cell(&row, 7),
            last_event_at: cell(&row, 8),
            trouble: cell(&row, 9),
        })
        .collect())
}

fn engine_memory(connection: &Connection) -> Result<Memory, Failure> {
    let parts = query(
        connection,
        "select part, sum(bytes)::bigint from rwt_engine.memory group by part",
    )?
    .rows;
    let part = |name: &str| {
        let row = parts
            .iter()
            .find(|row| cell(row, 0).as_deref() == Some(name));
        row.map_or(0, |row| number(row, 1))
    };
    Ok(Memory {
        limit: part("limit"),
        rows: part("rows") + part("waiting"),
        results: part("results"),
        working: part("working"),
        queries: part("queries"),
    })
}

fn lake(connection: &Connection) -> Result<Vec<LakeTable>, Failure> {
    let rows = query(
        connection,
        "select name, committed_rows, pending_rows, commits, last_commit_at, trouble \
         from rwt_engine.lake_tables order by name",
    )?
    .rows;
    Ok(rows
        .into_iter()
        .map(|row| LakeTable {
            name: cell(&row, 0).unwrap_or_default(),
            committed_rows: number(&row, 1),
            pending_rows: number(&row, 2),
            commits: number(&row, 3),
            last_commit_at: cell(&row, 4),
            trouble: cell(&row, 5),
        })
        .collect())
}

fn sinks(connection: &Connection) -> Result<Vec<Sink>, Failure> {
    let rows = query(
        connection,
        "select name, \"into\", sent, pending, trouble from rwt_engine.sinks where sent is not null order by name",
    )?
    .rows;
    Ok(rows
        .into_iter()
        .map(|row| Sink {
            name: cell(&row, 0).unwrap_or_default(),
            topic: cell(&row, 1).unwrap_or_default(),
            sent: number(&row, 2),
            pending: number(&row, 3),
            trouble: cell(&row, 4),
        })
        .collect())
}

fn cell(row: &[Option<String>], index: usize) -> Option<String> {
    row.get(index).cloned().flatten()
}

fn number<T: std::str::FromStr + Default>(row: &[Option<String>], index: usize) -> T {
    cell(row, index)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

/// `VmRSS` of a process, as the kernel gives it in `/proc/<pid>/status`.
fn memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn text(report: &StatusReport) -> String {
    let mut text = String::new();
    if let Some(running) = &report.stack {
        let memory = report
            .memory_bytes
            .map_or_else(String::new, |bytes| format!(", {} MB", bytes >> 20));
        text.push_str(&format!(
            "The embedded stack is up: process {}, started {}{memory}\n  SQL engine    {}\n  Kafka broker  {}\n  lake          {}\n",
            running.pid,
            ago(Utc::now() - running.started_at),
            running.engine,
            running.kafka,
            running.lake_dir().display()
        ));
        if let Some(memory) = &report.memory {
            text.push_str(&memory_line(memory));
        }
    } else {
        text.push_str(&format!("Target {} answers.\n", report.target));
    }
    let objects: Vec<String> = report
        .objects
        .iter()
        .map(|objects| format!("{} {}", objects.count, objects.kind))
        .collect();
    if objects.is_empty() {
        text.push_str("  objects       none; `rwt run` creates them\n");
    } else {
        text.push_str(&format!("  objects       {}\n", objects.join(", ")));
    }
    for table in [
        sources_table(report),
        sinks_table(report),
        topics_table(report),
        lake_table(report),
    ] {
        if !table.is_empty() {
            text.push('\n');
            text.push_str(&table.render());
        }
    }
    for source in &report.sources {
        if let Some(problem) = &source.last_problem {
            text.push_str(&format!("\n{}: last bad message: {problem}\n", source.name));
        }
    }
    // Partitions of one source wait for the same.
    let mut sources = report
        .sources
        .iter()
        .map(|s| (&s.name, &s.trouble))
        .collect::<Vec<_>>();
    sources.dedup();
    let tables = report
        .lake
        .iter()
        .map(|table| (&table.name, &table.trouble));
    let sinks = report.sinks.iter().map(|sink| (&sink.name, &sink.trouble));
    for (name, trouble) in sources.into_iter().chain(tables).chain(sinks) {
        if let Some(trouble) = trouble {
            text.push_str(&format!("\n{name}: {trouble}\n"));
        }
    }
    text
}

fn memory_line(memory: &Memory) -> String {
    let held = memory.rows + memory.results + memory.working + memory.queries;
    format!(
        "  memory limit  {} MB of {} MB: rows {}, results {}, indexes {}, queries {}\n",
        held >> 20,
        memory.limit >> 20,
        memory.rows >> 20,
        memory.results >> 20,
        memory.working >> 20,
        memory.queries >> 20
    )
}

fn sources_table(report: &StatusReport) -> Table {
    let mut table = Table::new(&[
        ("source", Align::Left),
        ("topic", Align::Left),
        ("rows", Align::Right),
        ("skipped", Align::Right),
        ("NULL-padded", Align::Right),
        ("behind", Align::Right),
        ("last message", Align::Left),
    ]);
    for source in &report.sources {
        table.row([
            source.name.clone(),
            format!("{}/{}", source.topic, source.partition),
            source.rows.to_string(),
            source.skipped.to_string(),
            source.null_padded.to_string(),
            source.behind.to_string(),
            since(source.last_event_at.as_deref()),
        ]);
    }
    table
}

fn sinks_table(report: &StatusReport) -> Table {
    let mut table = Table::new(&[
        ("sink", Align::Left),
        ("topic", Align::Left),
        ("sent", Align::Right),
        ("pending", Align::Right),
    ]);
    for sink in &report.sinks {
        table.row([
            sink.name.clone(),
            sink.topic.clone(),
            sink.sent.to_string(),
            sink.pending.to_string(),
        ]);
    }
    table
}

fn topics_table(report: &StatusReport) -> Table {
    let mut table = Table::new(&[
        ("topic", Align::Left),
        ("partitions", Align::Right),
        ("messages", Align::Right),
    ]);
    for topic in &report.topics {
        table.row([
            topic.name.clone(),
            topic.partitions.to_string(),
            topic.messages.to_string(),
        ]);
    }
    table
}

fn lake_table(report: &StatusReport) -> Table {
    let mut table = Table::new(&[
        ("Iceberg table", Align::Left),
        ("rows", Align::Right),
        ("pending", Align::Right),
        ("commits", Align::Right),
        ("last commit", Align::Left),
    ]);
    for lake in &report.lake {
        table.row([
            lake.name.clone(),
            lake.committed_rows.to_string(),
            lake.pending_rows.to_string(),
            lake.commits.to_string(),
            since(lake.last_commit_at.as_deref()),
        ]);
    }
    table
}

/// How long ago a timestamptz of the engine was.
fn since(text: Option<&str>) -> String {
    let at = text.and_then(|text| {
        let naive = text.split('+').next().unwrap_or(text);
        NaiveDateTime::parse_from_str(naive, "%Y-%m-%d %H:%M:%S%.f").ok()
    });
    at.map_or_else(String::new, |at| ago(Utc::now().naive_utc() - at))
}
