//! Tables with `ENGINE = iceberg`: their place in the lake, and the hidden objects that come with them.

use std::sync::Arc;

use rwt_sql::{Ident, ObjectName};
use rwt_wire::SqlError;

use crate::catalog::{Body, Definition, LakeTable, Object, Source};
use crate::engine::{Altering, internal};
use crate::storage::{Change, LakeProgress, SourceProgress, stored_schema};

/// Adds a table with its storage and, for a lake table, its place in the lake and its hidden sink and source.
pub(super) async fn add_table(
    altering: &mut Altering<'_>,
    object: Object,
    progress: Option<SourceProgress>,
    rows: &[arrow::array::RecordBatch],
) -> Result<(), SqlError> {
    let id = object.id;
    let adopted = match object.lake() {
        Some(_) => adopt(altering, &object).await?,
        None => None,
    };
    if let Some(lake) = object.lake() {
        let (sink, source) = lake_parts(altering, &object, lake);
        altering.catalog.objects.insert(sink.id, sink);
        altering.catalog.objects.insert(source.id, source);
        let place = (lake.namespace.clone(), lake.table.clone());
        altering.catalog.lake_drops.retain(|d| *d != place);
    }
    let (is_lake, keyed, schema) = (
        object.lake().is_some(),
        object.table().is_some_and(|t| !t.key.is_empty()),
        stored_schema(&object),
    );
    altering.catalog.objects.insert(id, object);
    altering.set_catalog()?;
    altering.apply(Change::Create(id))?;
    if is_lake {
        let adopted = adopted.unwrap_or_default();
        let count: usize = adopted.rows.iter().map(|(_, b)| b.num_rows()).sum();
        let lake = LakeProgress {
            committed_rows: count as u64,
            committed_before: adopted.next,
            full: keyed,
            ..LakeProgress::default()
        };
        altering.apply(Change::Lake(id, Arc::new(lake), None))?;
        let mut loaded = arrow::array::RecordBatch::new_empty(schema);
        let mut ids = arrow::array::Int64Array::from(Vec::<i64>::new());
        if keyed {
            for (row_ids, batch) in adopted.rows {
                altering.apply(Change::Load(id, row_ids, batch, adopted.next))?;
            }
            (loaded, ids) = (loaded.slice(0, 0), ids.slice(0, 0));
        }
        altering.apply(Change::Load(id, ids, loaded, adopted.next))?;
    }
    if let Some(progress) = progress {
        altering.apply(Change::Source(id, Arc::new(progress)))?;
    }
    if !rows.is_empty() {
        altering.insert(id, rows)?;
    }
    Ok(())
}

/// The rows of a lake table that was there before.
#[derive(Default)]
struct Adopted {
    rows: Vec<(arrow::array::Int64Array, arrow::array::RecordBatch)>,
    next: i64,
}

/// Makes the table in the lake, or takes over the one that is there with the same columns (`golden/facts.md` 19).
async fn adopt(altering: &Altering<'_>, object: &Object) -> Result<Option<Adopted>, SqlError> {
    let Some(place) = object.lake() else {
        return Ok(None);
    };
    let lake = &altering.staged.inner.lake;
    let schema = crate::stream::lake::lake_schema(object);
    let (namespace, name) = (&place.namespace, &place.table);
    let dropped = altering
        .catalog
        .lake_drops
        .iter()
        .any(|(n, t)| n == namespace && t == name);
    let exists = lake.table_exists(namespace, name).await.map_err(internal)?;
    if exists && dropped {
        lake.drop_table(namespace, name).await.map_err(internal)?;
    }
    if !exists || dropped {
        lake.create_table(namespace, name, &schema)
            .await
            .map_err(internal)?;
        return Ok(None);
    }
    let there = lake.schema(namespace, name).await.map_err(internal)?;
    if there.fields().len() != schema.fields().len() {
        return Err(SqlError::internal(format!(
            "Schema length mismatch, risingwave is {}, and iceberg is {}",
            schema.fields().len(),
            there.fields().len()
        )));
    }
    for (ours, theirs) in schema.fields().iter().zip(there.fields()) {
        if ours.name() != theirs.name() || ours.data_type() != theirs.data_type() {
            return Err(SqlError::internal(format!(
                "Field {} mismatch, risingwave is {}, and iceberg has {} of type {}",
                ours.name(),
                ours.data_type(),
                theirs.name(),
                theirs.data_type()
            )));
        }
    }
    let scan = lake.scan(namespace, name).await.map_err(internal)?;
    let mut adopted = Adopted::default();
    for batch in scan.batches.iter() {
        let (ids, rows) = crate::stream::lake::split_ids(object, batch).map_err(internal)?;
        let count = i64::try_from(rows.num_rows()).unwrap_or(i64::MAX);
        let ids = ids.unwrap_or_else(|| {
            arrow::array::Int64Array::from_iter_values(adopted.next..adopted.next + count)
        });
        let highest = ids.iter().flatten().max().map_or(adopted.next, |m| m + 1);
        adopted.next = adopted.next.max(highest);
        adopted.rows.push((ids, rows));
    }
    Ok(Some(adopted))
}

/// The hidden sink and source that RisingWave makes with a lake table (`golden/facts.md` 14).
fn lake_parts(altering: &mut Altering<'_>, table: &Object, lake: &LakeTable) -> (Object, Object) {
    let mut part = |prefix: &str, head: &str, body: Body| {
        let name = format!("{prefix}{}", table.name);
        Object {
            id: altering.catalog.take_id(),
            definition: Definition::new(head, &ObjectName(vec![Ident::new(&name)])),
            name,
            schema: table.schema,
            owner: table.owner,
            columns: table.columns.clone(),
            depends_on: vec![table.id, lake.connection],
            created_at: table.created_at,
            comment: None,
            part_of: Some(table.id),
            body,
        }
    };
    let sink = part(
        "__iceberg_sink_",
        "CREATE SINK",
        Body::Sink(crate::catalog::Sink {
            from: crate::catalog::SinkFrom::Relation(table.id),
            into: None,
            connector: "ICEBERG".into(),
            mode: crate::catalog::SinkMode::Upsert,
            secrets: Vec::new(),
            options: Vec::new(),
            messages: None,
            timezone: "UTC".into(),
        }),
    );
    let source = part(
        "__iceberg_source_",
        "CREATE SOURCE",
        Body::Source(Source {
            secrets: Vec::new(),
            connector: "iceberg".into(),
            options: Vec::new(),
            format: "NONE".into(),
            encode: "NONE".into(),
            origins: Vec::new(),
            delimiter: ',',
            watermark: None,
            avro: None,
        }),
    );
    (sink, source)
}
