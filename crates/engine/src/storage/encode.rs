//! A checkpoint's changes as bytes: a JSON head that says what they are, then the Arrow IPC streams of their rows.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use super::StorageError;
use super::state::{Change, LakeProgress, SourceProgress};
use crate::catalog::{Catalog, ObjectId};

#[derive(Serialize, Deserialize)]
struct Head {
    checkpoint: u64,
    changes: Vec<Entry>,
}

/// `rows` are lengths in bytes of the IPC streams that follow the head, in order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Catalog(Arc<Catalog>),
    Create(ObjectId),
    Drop(ObjectId),
    Insert {
        table: ObjectId,
        rows: usize,
        count: usize,
    },
    Load {
        table: ObjectId,
        ids: usize,
        rows: usize,
        count: usize,
        next: i64,
    },
    Delete {
        table: ObjectId,
        ids: usize,
    },
    Reshape {
        table: ObjectId,
        from: Vec<Origin>,
    },
    Source {
        source: ObjectId,
        progress: Arc<SourceProgress>,
    },
    Lake {
        table: ObjectId,
        progress: Arc<LakeProgress>,
        committed: Option<i64>,
    },
    Sent {
        sink: ObjectId,
        before: i64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    Column(usize),
    Value(usize),
}

/// The bytes of a checkpoint.
pub fn encode(checkpoint: u64, changes: &[Change]) -> Result<Vec<u8>, StorageError> {
    let mut blobs: Vec<u8> = Vec::new();
    let mut put = |batch: &RecordBatch| -> Result<usize, ArrowError> {
        if batch.num_columns() == 0 {
            return Ok(0);
        }
        let start = blobs.len();
        let mut writer = StreamWriter::try_new(&mut blobs, batch.schema_ref())?;
        writer.write(batch)?;
        writer.finish()?;
        drop(writer);
        Ok(blobs.len() - start)
    };
    let mut entries = Vec::with_capacity(changes.len());
    for change in changes {
        entries.push(match change {
            Change::Catalog(catalog) => Entry::Catalog(catalog.clone()),
            Change::Create(id) => Entry::Create(*id),
            Change::Drop(id) => Entry::Drop(*id),
            Change::Insert(table, batch) => Entry::Insert {
                table: *table,
                rows: put(batch)?,
                count: batch.num_rows(),
            },
            Change::Load(table, ids, batch, next) => Entry::Load {
                table: *table,
                ids: put(&one_column(Arc::new(ids.clone()))?)?,
                rows: put(batch)?,
                count: batch.num_rows(),
                next: *next,
            },
            Change::Delete(table, ids) => Entry::Delete {
                table: *table,
                ids: put(&one_column(Arc::new(Int64Array::from(ids.clone())))?)?,
            },
            Change::Reshape(table, from) => Entry::Reshape {
                table: *table,
                from: from
                    .iter()
                    .map(|source| {
                        Ok(match source {
                            Ok(i) => Origin::Column(*i),
                            Err(value) => Origin::Value(put(&one_column(value.clone())?)?),
                        })
                    })
                    .collect::<Result<_, ArrowError>>()?,
            },
            Change::Source(source, progress) => Entry::Source {
                source: *source,
                progress: progress.clone(),
            },
            Change::Lake(table, progress, committed) => Entry::Lake {
                table: *table,
                progress: progress.clone(),
                committed: *committed,
            },
            Change::Sent(sink, before) => Entry::Sent {
                sink: *sink,
                before: *before,
            },
        });
    }
    let head = serde_json::to_vec(&Head {
        checkpoint,
        changes: entries,
    })
    .map_err(|e| StorageError::Encoding(e.to_string()))?;
    let length = u32::try_from(head.len())
        .map_err(|_| StorageError::Encoding("the catalog is too large".into()))?;
    let mut bytes = Vec::with_capacity(4 + head.len() + blobs.len());
    bytes.extend(length.to_le_bytes());
    bytes.extend(head);
    bytes.extend(blobs);
    Ok(bytes)
}

/// The checkpoint and the changes behind the bytes.
pub fn decode(bytes: &[u8]) -> Result<(u64, Vec<Change>), StorageError> {
    let broken = |what: &str| StorageError::Encoding(what.to_owned());
    let (length, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| broken("a record without a head"))?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (head, mut blobs) = rest
        .split_at_checked(length)
        .ok_or_else(|| broken("a record with half a head"))?;
    let head: Head =
        serde_json::from_slice(head).map_err(|e| StorageError::Encoding(e.to_string()))?;
    let mut take = |length: usize, rows: usize| -> Result<RecordBatch, StorageError> {
        let (blob, rest) = blobs
            .split_at_checked(length)
            .ok_or_else(|| broken("a record with too few rows"))?;
        blobs = rest;
        if length == 0 {
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
            let none = Arc::new(Schema::empty());
            return Ok(RecordBatch::try_new_with_options(
                none,
                Vec::new(),
                &options,
            )?);
        }
        let mut reader = StreamReader::try_new(Cursor::new(blob), None)?;
        match reader.next() {
            // Numerics were decimals once.
            Some(batch) => Ok(rwt_query::from_decimals(&batch?, true)?),
            None => Ok(RecordBatch::new_empty(reader.schema())),
        }
    };
    let mut changes = Vec::with_capacity(head.changes.len());
    for entry in head.changes {
        changes.push(match entry {
            Entry::Catalog(catalog) => Change::Catalog(catalog),
            Entry::Create(id) => Change::Create(id),
            Entry::Drop(id) => Change::Drop(id),
            Entry::Insert { table, rows, count } => Change::Insert(table, take(rows, count)?),
            Entry::Load {
                table,
                ids,
                rows,
                count,
                next,
            } => {
                let ids = ids_of(&take(ids, 0)?);
                Change::Load(table, ids, take(rows, count)?, next)
            }
            Entry::Delete { table, ids } => {
                Change::Delete(table, ids_of(&take(ids, 0)?).values().to_vec())
            }
            Entry::Reshape { table, from } => {
                let mut origins = Vec::with_capacity(from.len());
                for origin in from {
                    origins.push(match origin {
                        Origin::Column(i) => Ok(i),
                        Origin::Value(length) => Err(take(length, 1)?.column(0).clone()),
                    });
                }
                Change::Reshape(table, origins)
            }
            Entry::Source { source, progress } => Change::Source(source, progress),
            Entry::Lake {
                table,
                progress,
                committed,
            } => Change::Lake(table, progress, committed),
            Entry::Sent { sink, before } => Change::Sent(sink, before),
        });
    }
    Ok((head.checkpoint, changes))
}

fn one_column(array: ArrayRef) -> Result<RecordBatch, ArrowError> {
    let field = Field::new("value", array.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array])
}

fn ids_of(batch: &RecordBatch) -> Int64Array {
    match batch.columns().first() {
        Some(column) if column.data_type() == &DataType::Int64 => {
            column.as_primitive::<Int64Type>().clone()
        }
        _ => Int64Array::from(Vec::<i64>::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Decimal128Array;

    #[test]
    fn decimals_of_an_older_rwt_become_numerics() {
        let old = Decimal128Array::from(vec![Some(15_000_000_000), None])
            .with_precision_and_scale(38, 10)
            .unwrap();
        let batch = one_column(Arc::new(old)).unwrap();
        let bytes = encode(7, &[Change::Insert(1, batch)]).unwrap();
        let (checkpoint, changes) = decode(&bytes).unwrap();
        assert_eq!(checkpoint, 7);
        let [Change::Insert(1, batch)] = changes.as_slice() else {
            panic!("another change");
        };
        assert_eq!(
            batch.column(0).data_type(),
            &rwt_query::arrow_type(&rwt_sql::DataType::Numeric)
        );
        let texts = rwt_query::printed(batch).unwrap();
        let texts: Vec<_> = texts.column(0).as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some("1.5"), None]);
    }
}
