//! What a user of the lake sees: rows that come back as they went in, once, whatever happened in between.

use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray,
    RecordBatch, StringArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{
    DataType, Field, Fields, Int16Type, Int64Type, IntervalMonthDayNano, Schema, SchemaRef,
    TimeUnit,
};
use rwt_lake::{Lake, LakeError, TableScan};

fn events_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("page", DataType::Utf8, true),
    ]))
}

/// Rows `first..first + count`.
fn events(first: i64, count: i64) -> RecordBatch {
    let ids = Int64Array::from_iter_values(first..first + count);
    let pages = StringArray::from_iter(
        (first..first + count).map(|id| (id % 7 != 0).then(|| format!("page_{}", id % 100))),
    );
    RecordBatch::try_new(events_schema(), vec![Arc::new(ids), Arc::new(pages)]).unwrap()
}

async fn lake_with_events(dir: &Path) -> Lake {
    let lake = Lake::open(dir).await.unwrap();
    lake.create_table("public", "events", &events_schema())
        .await
        .unwrap();
    lake
}

fn ids(scan: &TableScan) -> Vec<i64> {
    scan.batches
        .iter()
        .flat_map(|batch| {
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        })
        .collect()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path);
    let mut found: Vec<PathBuf> = entries
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    found.sort();
    found
}

/// One column of every type that the engine has, with NULLs and extremes.
fn every_type() -> RecordBatch {
    let item = Arc::new(Field::new_list_field(DataType::Int32, true));
    let ints = ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let smalls = ListArray::from_iter_primitive::<Int16Type, _, _>([
        Some(vec![Some(i16::MIN)]),
        None,
        Some(vec![]),
    ]);
    let texts = {
        let mut builder = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
        builder.append_value([Some("a"), None]);
        builder.append_null();
        builder.append_value([Some("")]);
        builder.finish()
    };
    let parts = Fields::from(vec![
        Field::new("x", DataType::Int32, true),
        Field::new("y", DataType::Utf8, true),
        Field::new("ints", DataType::List(item), true),
    ]);
    let part = StructArray::new(
        parts,
        vec![
            Arc::new(Int32Array::from(vec![Some(5), None, None])),
            Arc::new(StringArray::from(vec![Some("q"), None, Some("")])),
            Arc::new(ints.clone()),
        ],
        Some(vec![true, false, true].into()),
    );
    let hundred_digits = 99_999_999_999_999_999_999_999_999_999_999_999_999_i128;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "_risingwave_iceberg_row_id",
            Arc::new(Int64Array::from(vec![1, 2, 3])),
        ),
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "small",
            Arc::new(Int16Array::from(vec![Some(i16::MAX), None, Some(i16::MIN)])),
        ),
        (
            "int",
            Arc::new(Int32Array::from(vec![Some(i32::MAX), None, Some(i32::MIN)])),
        ),
        (
            "big",
            Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MIN)])),
        ),
        (
            "real",
            Arc::new(Float32Array::from(vec![Some(1.5), None, Some(f32::NAN)])),
        ),
        (
            "double",
            Arc::new(Float64Array::from(vec![
                Some(2.5),
                None,
                Some(f64::NEG_INFINITY),
            ])),
        ),
        (
            "num",
            Arc::new(
                Decimal128Array::from(vec![Some(15_000_000_000), None, Some(-hundred_digits)])
                    .with_precision_and_scale(38, 10)
                    .unwrap(),
            ),
        ),
        (
            "text",
            Arc::new(StringArray::from(vec![
                Some("wörd, \"quoted\""),
                None,
                Some(""),
            ])),
        ),
        (
            "bytes",
            Arc::new(BinaryArray::from(vec![
                Some(&b"\x00\xff"[..]),
                None,
                Some(&b""[..]),
            ])),
        ),
        (
            "day",
            Arc::new(Date32Array::from(vec![Some(19_849), None, Some(-719_162)])),
        ),
        (
            "clock",
            Arc::new(Time64MicrosecondArray::from(vec![
                Some(86_399_999_999),
                None,
                Some(0),
            ])),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_714_979_289_123_456),
                None,
                Some(-1),
            ])),
        ),
        (
            "at_zone",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_714_979_289_123_456), None, Some(0)])
                    .with_timezone("UTC"),
            ),
        ),
        (
            "span",
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                Some(IntervalMonthDayNano::new(14, -3, 14_706_789_000_000)),
                None,
                Some(IntervalMonthDayNano::new(0, 0, 0)),
            ])),
        ),
        (
            "json",
            Arc::new(StringArray::from(vec![
                Some(r#"{"a": 1}"#),
                None,
                Some("null"),
            ])),
        ),
        ("ints", Arc::new(ints)),
        ("smalls", Arc::new(smalls)),
        ("texts", Arc::new(texts)),
        ("part", Arc::new(part)),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.into_iter().map(|(_, array)| array).collect(),
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let rows = every_type();
    let lake = Lake::open(dir.path()).await.unwrap();
    lake.create_table("public", "types", &rows.schema())
        .await
        .unwrap();
    assert_eq!(lake.schema("public", "types").await.unwrap(), rows.schema());

    let appended = lake
        .append("public", "types", vec![rows.clone()], "c1")
        .await
        .unwrap();
    assert_eq!((appended.rows, appended.already_committed), (3, false));
    let scan = lake.scan("public", "types").await.unwrap();
    assert_eq!(scan.snapshot_id, appended.snapshot_id);
    assert_eq!(
        concat_batches(&scan.schema, scan.batches.iter()).unwrap(),
        rows
    );

    // And for another process, which has only the files.
    let reader = Lake::open_read_only(dir.path()).await.unwrap();
    let scan = reader.scan("public", "types").await.unwrap();
    assert_eq!(
        concat_batches(&scan.schema, scan.batches.iter()).unwrap(),
        rows
    );
}
