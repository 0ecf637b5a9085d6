//! How a sink or a subscription follows what it reads, and what that means to those who receive.

use rwt_sql::parse_statement;
use rwt_sql::statement::{CreateSink, CreateTable, Options, SinkFrom, Statement};

use super::decision::Treatment;
use super::known::Known;
use crate::desired::DesiredObject;
use crate::name::RelationName;
use crate::plan::Consequence;
use crate::version::Feature;

/// The statement of a sink, if it is one that can be read.
fn create_sink(sql: &str) -> Option<CreateSink> {
    match parse_statement(sql) {
        Ok(Statement::CreateSink(sink)) => Some(sink),
        _ => None,
    }
}

/// The statement of a table.
pub(super) fn create_table(sql: &str) -> Option<CreateTable> {
    match parse_statement(sql) {
        Ok(Statement::CreateTable(table)) => Some(table),
        _ => None,
    }
}

/// Whether an engine table: its rows are in the lake.
pub(super) fn is_lake_table(sql: &str) -> bool {
    create_table(sql).is_some_and(|table| table.engine.as_deref() == Some("iceberg"))
}

/// Where a source or a table with a connector begins to read; none if it reads nothing.
pub(super) fn startup_mode(sql: &str) -> Option<String> {
    let with: Options = match parse_statement(sql) {
        Ok(Statement::CreateSource(source)) => source.with,
        Ok(Statement::CreateTable(table)) => table.with,
        _ => return None,
    };
    with.get("connector")?;
    if with.get("scan.startup.timestamp.millis").is_some() {
        return Some("timestamp".to_owned());
    }
    let mode = with.text("scan.startup.mode").unwrap_or("earliest");
    Some(mode.to_lowercase())
}

/// The table that a sink writes into, as written.
pub(super) fn target(sql: &str) -> Option<RelationName> {
    let (target, _) = create_sink(sql)?.into?;
    Some(RelationName::of(&target, ""))
}

/// How a sink that must change is changed, and what that costs. `stays`: the old one can go on until the new one begins.
pub(super) fn move_sink(
    known: &Known<'_>,
    sink: &DesiredObject,
    stays: bool,
) -> (Treatment, Vec<Consequence>) {
    let relation = sink.relation.clone();
    let Some(create) = create_sink(&sink.create) else {
        let into = "its receiver".to_owned();
        let costs = vec![Consequence::EmitsAgain {
            relation,
            into,
            keyed: false,
        }];
        return (Treatment::MoveSink { snapshot: true }, costs);
    };
    let can_be_replaced = stays
        && Feature::ReplaceSink.is_in(known.catalog.server.version)
        && is_replaceable(&create);
    if can_be_replaced {
        let costs = vec![Consequence::SkipsDifference { relation }];
        return (Treatment::ReplaceSink, costs);
    }
    let connector = create.with.text("connector").unwrap_or_default();
    if create.into.is_none() && connector == "blackhole" {
        return (Treatment::MoveSink { snapshot: true }, Vec::new());
    }
    let snapshot = sink
        .config
        .move_snapshot
        .or(known.options.move_snapshot)
        .unwrap_or(create.with.text("snapshot") != Some("false"));
    if !snapshot {
        let mut costs = vec![Consequence::SkipsDifference {
            relation: relation.clone(),
        }];
        if stays {
            costs.push(Consequence::EmitsOverlap { relation });
        }
        return (Treatment::MoveSink { snapshot }, costs);
    }
    let (into, keyed) = receiver(known, sink, &create);
    let mut costs = vec![Consequence::EmitsAgain {
        relation: relation.clone(),
        into: into.clone(),
        keyed,
    }];
    if !keyed {
        costs.push(Consequence::ReceiverKeepsRows { relation, into });
    }
    (Treatment::MoveSink { snapshot }, costs)
}

/// REPLACE SINK takes a sink FROM a relation into an external system that is not written to exactly once.
fn is_replaceable(sink: &CreateSink) -> bool {
    let says = |key: &str, value: &str| sink.with.text(key) == Some(value);
    let exactly_once = match sink.with.text("is_exactly_once") {
        Some(value) => value != "false",
        // Iceberg's default (RisingWave's `default_some_true`).
        None => says("connector", "iceberg"),
    };
    matches!(sink.from, SinkFrom::Relation(_))
        && sink.into.is_none()
        && !exactly_once
        && !says("auto.schema.change", "true")
        && sink.with.get("since_timestamp").is_none()
}

/// Who receives a sink's rows, and whether rows with the same key replace one another there.
fn receiver(known: &Known<'_>, sink: &DesiredObject, create: &CreateSink) -> (String, bool) {
    let upsert = create.with.text("type") == Some("upsert")
        || create
            .format
            .as_ref()
            .is_some_and(|format| format.format == "UPSERT");
    let Some((target, _)) = &create.into else {
        let connector = create.with.text("connector").unwrap_or("its receiver");
        return (connector.to_owned(), upsert);
    };
    let target = RelationName::of(target, &known.desired.schema);
    let table = sink
        .writes_to
        .as_ref()
        .and_then(|id| known.desired.objects.get(id))
        .and_then(|object| create_table(&object.create));
    let keyed = table.is_some_and(|table| !table.columns.primary_key.is_empty());
    (target.to_string(), keyed)
}
