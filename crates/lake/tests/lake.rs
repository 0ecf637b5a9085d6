//! What a user of the lake sees: rows that come back as they went in, once, whatever happened in between.
#![allow(clippy::unwrap_used)]

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

#[tokio::test(flavor = "multi_thread")]
async fn appends_add_up_in_order_and_each_scan_sees_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    let empty = lake.scan("public", "events").await.unwrap();
    assert_eq!(
        (empty.rows(), empty.snapshot_id, empty.schema),
        (0, None, events_schema())
    );
    assert_eq!(lake.snapshot_id("public", "events").await.unwrap(), None);

    for commit in 0..20 {
        let rows = vec![events(commit * 10, 4), events(commit * 10 + 4, 6)];
        let appended = lake
            .append("public", "events", rows, &format!("c{commit}"))
            .await
            .unwrap();
        let scan = lake.scan("public", "events").await.unwrap();
        assert_eq!(ids(&scan), (0..(commit + 1) * 10).collect::<Vec<_>>());
        assert_eq!(scan.snapshot_id, appended.snapshot_id);
    }
    // Many small commits do not become many small batches.
    assert!(lake.scan("public", "events").await.unwrap().batches.len() < 8);
    let reader = Lake::open_read_only(dir.path()).await.unwrap();
    assert_eq!(
        ids(&reader.scan("public", "events").await.unwrap()),
        (0..200).collect::<Vec<_>>()
    );
    assert_eq!(reader.row_count("public", "events").await.unwrap(), 200);
    let stats = reader.stats("public", "events").await.unwrap();
    assert_eq!(
        (stats.rows, stats.data_files, stats.snapshots),
        (200, 20, 20)
    );
    assert!(stats.bytes > 20 * 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_id_is_committed_once() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    assert_eq!(lake.last_commit_id("public", "events").await.unwrap(), None);
    let first = lake
        .append("public", "events", vec![events(0, 10)], "engine-1/7")
        .await
        .unwrap();
    lake.append("public", "events", vec![events(10, 5)], "engine-1/8")
        .await
        .unwrap();

    // The same again, and from a process that starts anew: nothing is written, the first commit is reported.
    let again = lake
        .append("public", "events", vec![events(0, 10)], "engine-1/7")
        .await
        .unwrap();
    assert_eq!(
        (again.already_committed, again.rows, again.snapshot_id),
        (true, 10, first.snapshot_id)
    );
    drop(lake);
    let lake = Lake::open(dir.path()).await.unwrap();
    assert!(
        lake.append("public", "events", vec![events(10, 5)], "engine-1/8")
            .await
            .unwrap()
            .already_committed
    );
    assert_eq!(
        ids(&lake.scan("public", "events").await.unwrap()),
        (0..15).collect::<Vec<_>>()
    );
    assert_eq!(
        lake.last_commit_id("public", "events")
            .await
            .unwrap()
            .as_deref(),
        Some("engine-1/8")
    );
    assert_eq!(files(dir.path(), ".parquet").len(), 2);

    // Nothing to append is no commit.
    let nothing = lake
        .append("public", "events", vec![events(0, 0)], "engine-1/9")
        .await
        .unwrap();
    assert_eq!((nothing.rows, nothing.already_committed), (0, false));
    assert_eq!(lake.stats("public", "events").await.unwrap().snapshots, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_torn_append_are_removed_on_open() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    lake.append("public", "events", vec![events(0, 10)], "c0")
        .await
        .unwrap();
    lake.append("public", "events", vec![events(10, 10)], "c1")
        .await
        .unwrap();
    drop(lake);

    let folder = dir
        .path()
        .canonicalize()
        .unwrap()
        .join("warehouse/public/events");
    let before = files(&folder, "");
    let torn = [
        folder.join("data/0198-00000.parquet"),
        folder.join("metadata/6a1d8a2e-9a3d-4f7e-8a53-0d1b0f6c2b11-m0.avro"),
        folder.join("metadata/snap-12345-0-6a1d8a2e-9a3d-4f7e-8a53-0d1b0f6c2b11.avro"),
        folder.join("metadata/00003-6a1d8a2e-9a3d-4f7e-8a53-0d1b0f6c2b11.metadata.json"),
    ];
    torn.iter()
        .for_each(|path| std::fs::write(path, "torn").unwrap());
    // Not ours: it stays.
    let foreign = folder.join("data/notes.txt");
    std::fs::write(&foreign, "mine").unwrap();

    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(
        torn.iter().filter(|path| path.exists()).collect::<Vec<_>>(),
        Vec::<&PathBuf>::new()
    );
    assert!(before.iter().all(|path| path.exists()) && foreign.exists());
    assert_eq!(
        ids(&lake.scan("public", "events").await.unwrap()),
        (0..20).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_files_survive_an_open_whatever_their_times_are() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    for commit in 0..5 {
        lake.append(
            "public",
            "events",
            vec![events(commit * 10, 10)],
            &format!("c{commit}"),
        )
        .await
        .unwrap();
    }
    drop(lake);
    for (index, path) in files(dir.path(), ".parquet").iter().enumerate() {
        let odd = SystemTime::now() + Duration::from_secs(index as u64 * 86_400);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_times(FileTimes::new().set_modified(odd))
            .unwrap();
    }
    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(
        ids(&lake.scan("public", "events").await.unwrap()),
        (0..50).collect::<Vec<_>>()
    );
}

/// The writer that the next test kills: appends ten rows a time, each id once, and repeats the last append first.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of killing_the_writer_neither_loses_nor_doubles_rows"]
async fn append_until_killed() {
    let lake = Lake::open(std::env::var("RWT_LAKE_KILL_TEST").unwrap())
        .await
        .unwrap();
    let last = lake.last_commit_id("public", "events").await.unwrap();
    let mut commit: i64 = last.map_or(0, |id| id.parse().unwrap());
    loop {
        lake.append(
            "public",
            "events",
            vec![events(commit * 10, 10)],
            &commit.to_string(),
        )
        .await
        .unwrap();
        commit += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_writer_neither_loses_nor_doubles_rows() {
    let dir = tempfile::tempdir().unwrap();
    drop(lake_with_events(dir.path()).await);
    let mut rows_before = 0;
    for round in 0..5_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["append_until_killed", "--exact", "--ignored"])
            .env("RWT_LAKE_KILL_TEST", dir.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Wait for a commit of this round, then kill at another moment of the cycle each time.
        let reader = Lake::open_read_only(dir.path()).await.unwrap();
        while reader.row_count("public", "events").await.unwrap() == rows_before {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the writer ended by itself"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
        child.kill().unwrap();
        child.wait().unwrap();

        let rows = ids(&reader.scan("public", "events").await.unwrap());
        assert!(rows.len() as u64 > rows_before);
        assert_eq!(rows, (0..rows.len() as i64).collect::<Vec<_>>());
        rows_before = rows.len() as u64;
    }
    // No file is left that no snapshot names.
    let lake = Lake::open(dir.path()).await.unwrap();
    let stats = lake.stats("public", "events").await.unwrap();
    assert_eq!(files(dir.path(), ".parquet").len() as u64, stats.data_files);
    assert_eq!(stats.rows, rows_before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_after_an_append_reads_the_new_files_only() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    lake.append("public", "events", vec![events(0, 10)], "c0")
        .await
        .unwrap();
    assert_eq!(lake.scan("public", "events").await.unwrap().rows(), 10);
    // Were the old file read again, this would fail.
    std::fs::remove_file(&files(dir.path(), ".parquet")[0]).unwrap();
    lake.append("public", "events", vec![events(10, 10)], "c1")
        .await
        .unwrap();
    assert_eq!(
        ids(&lake.scan("public", "events").await.unwrap()),
        (0..20).collect::<Vec<_>>()
    );

    let reader = Lake::open_read_only(dir.path()).await.unwrap();
    let error = reader.scan("public", "events").await.unwrap_err();
    assert!(
        matches!(error, LakeError::TableUnreadable { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("cannot read the lake table public.events"),
        "{error}"
    );
    assert!(miette::Diagnostic::help(&error).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_keeps_its_rows_while_others_are_appended() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    lake.append("public", "events", vec![events(0, 10)], "c0")
        .await
        .unwrap();
    let early = lake.scan("public", "events").await.unwrap();
    lake.append("public", "events", vec![events(10, 10)], "c1")
        .await
        .unwrap();
    let late = lake.scan("public", "events").await.unwrap();
    assert_eq!((early.rows(), late.rows()), (10, 20));
    assert_ne!(early.snapshot_id, late.snapshot_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_table_is_gone_with_its_files_and_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    let reader = Lake::open_read_only(dir.path()).await.unwrap();
    lake.append("public", "events", vec![events(0, 10)], "c0")
        .await
        .unwrap();
    assert_eq!(lake.scan("public", "events").await.unwrap().rows(), 10);
    assert_eq!(reader.scan("public", "events").await.unwrap().rows(), 10);
    assert!(matches!(
        lake.create_table("public", "events", &events_schema())
            .await,
        Err(LakeError::TableExists { .. })
    ));

    lake.drop_table("public", "events").await.unwrap();
    assert!(!lake.table_exists("public", "events").await.unwrap());
    assert!(!dir.path().join("warehouse/public/events").exists());
    for gone in [
        lake.scan("public", "events").await.unwrap_err(),
        reader.scan("public", "events").await.unwrap_err(),
        lake.append("public", "events", vec![events(0, 1)], "c1")
            .await
            .unwrap_err(),
        lake.drop_table("public", "events").await.unwrap_err(),
    ] {
        assert_eq!(
            gone.to_string(),
            "table public.events does not exist in the lake"
        );
    }

    // The same name with other columns: nothing of the old table comes back, not from a cache either.
    let other = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    lake.create_table("public", "events", &other).await.unwrap();
    assert_eq!(reader.scan("public", "events").await.unwrap().schema, other);
    let row = RecordBatch::try_new(other, vec![Arc::new(Int64Array::from(vec![42]))]).unwrap();
    assert!(
        !lake
            .append("public", "events", vec![row], "c0")
            .await
            .unwrap()
            .already_committed
    );
    assert_eq!(ids(&lake.scan("public", "events").await.unwrap()), [42]);
    assert_eq!(ids(&reader.scan("public", "events").await.unwrap()), [42]);
    assert!(dir.path().join("warehouse/public/events").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_was_killed_is_finished_or_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    lake.append("public", "events", vec![events(0, 10)], "c0")
        .await
        .unwrap();
    drop(lake);
    let (live, left) = (
        dir.path().join("warehouse/public/events"),
        dir.path().join("warehouse/public/left"),
    );
    std::fs::create_dir_all(left.join("data")).unwrap();
    std::fs::write(left.join("data/1.parquet"), "rows").unwrap();
    // Killed before the catalog knew, and after.
    std::fs::write(live.join(".rwt-dropped"), "").unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(lake.scan("public", "events").await.unwrap().rows(), 10);
    assert!(left.exists(), "a folder that nobody dropped is not ours");
    drop(lake);
    std::fs::write(left.join(".rwt-dropped"), "").unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    assert!(!left.exists() && live.exists());

    // Rows that no table owns are somebody's: a new table of that name does not mix with them.
    std::fs::create_dir_all(left.join("data")).unwrap();
    std::fs::write(left.join("data/1.parquet"), "rows").unwrap();
    lake.create_table("public", "left", &events_schema())
        .await
        .unwrap();
    lake.append("public", "left", vec![events(0, 1)], "c0")
        .await
        .unwrap();
    lake.drop_table("public", "left").await.unwrap();
    assert!(left.join("data/1.parquet").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_whole_commits_while_the_writer_commits() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    let path = dir.path().to_path_buf();
    let reader = tokio::spawn(async move {
        let cached = Lake::open_read_only(&path).await.unwrap();
        let mut seen = 0;
        while seen < 300 {
            let fresh = Lake::open_read_only(&path).await.unwrap();
            for lake in [&cached, &fresh] {
                let rows = ids(&lake.scan("public", "events").await.unwrap());
                assert_eq!(rows, (0..rows.len() as i64).collect::<Vec<_>>());
                assert!(rows.len().is_multiple_of(10) && rows.len() >= seen);
                seen = rows.len();
            }
        }
    });
    for commit in 0..30 {
        lake.append(
            "public",
            "events",
            vec![events(commit * 10, 10)],
            &format!("c{commit}"),
        )
        .await
        .unwrap();
    }
    reader.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_written_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let writers: Vec<_> = (0..9)
        .map(|table| {
            let lake = lake.clone();
            tokio::spawn(async move {
                let name = format!("t{table}");
                lake.create_table("public", &name, &events_schema())
                    .await
                    .unwrap();
                for commit in 0..5 {
                    lake.append(
                        "public",
                        &name,
                        vec![events(commit * 10, 10)],
                        &format!("c{commit}"),
                    )
                    .await
                    .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let tables: Vec<String> = lake
        .tables()
        .await
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        tables,
        (0..9)
            .map(|table| format!("public.t{table}"))
            .collect::<Vec<_>>()
    );
    for table in 0..9 {
        assert_eq!(
            lake.row_count("public", &format!("t{table}"))
                .await
                .unwrap(),
            50
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_folders_of_any_kind() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("läke 100% #1? [x]");
    let lake = Lake::open(&dir).await.unwrap();
    let names = [
        "MiXed",
        "with space",
        "..",
        "../escape",
        "a/b",
        "a_b",
        "a%2Fb",
        "ünïcode",
        "quote'\"s",
        ".hidden",
        "semi;colon?x=1#y",
    ];
    for (number, name) in names.into_iter().enumerate() {
        lake.create_table("my schema", name, &events_schema())
            .await
            .unwrap();
        lake.append("my schema", name, vec![events(number as i64, 1)], "c")
            .await
            .unwrap();
    }
    drop(lake);
    let lake = Lake::open(&dir).await.unwrap();
    for (number, name) in names.into_iter().enumerate() {
        assert_eq!(
            ids(&lake.scan("my schema", name).await.unwrap()),
            [number as i64],
            "{name}"
        );
        assert_eq!(
            lake.last_commit_id("my schema", name)
                .await
                .unwrap()
                .as_deref(),
            Some("c")
        );
    }
    assert_eq!(files(&dir.join("warehouse"), ".parquet").len(), names.len());
    for name in names {
        lake.drop_table("my schema", name).await.unwrap();
    }
    assert_eq!(
        files(&dir.join("warehouse"), ".parquet"),
        Vec::<PathBuf>::new()
    );
    assert!(lake.tables().await.unwrap().is_empty());
    for (namespace, name) in [("", "t"), ("public", ""), ("a.b", "t"), ("public", "a\0b")] {
        assert!(matches!(
            lake.create_table(namespace, name, &events_schema()).await,
            Err(LakeError::Name { .. })
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_are_refused_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    let one = |name: &str, array: ArrayRef| RecordBatch::try_from_iter([(name, array)]).unwrap();
    let (ids, pages): (ArrayRef, ArrayRef) = (
        Arc::new(Int64Array::from(vec![1])),
        Arc::new(StringArray::from(vec!["p"])),
    );
    let renamed =
        RecordBatch::try_from_iter([("id", Arc::clone(&ids)), ("pages", Arc::clone(&pages))])
            .unwrap();
    let retyped =
        RecordBatch::try_from_iter([("id", Arc::clone(&pages)), ("page", pages)]).unwrap();
    for (rows, reason) in [
        (one("id", ids), "they have 1 columns, the table has 2"),
        (renamed, "they have no column `page`"),
        (retyped, "column `id` is Utf8, the table's is Int64"),
    ] {
        // Good rows before the bad ones are not written either.
        let error = lake
            .append("public", "events", vec![events(0, 5), rows], "c")
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the rows do not fit the lake table public.events: {reason}")
        );
    }
    assert_eq!(files(dir.path(), ".parquet"), Vec::<PathBuf>::new());
    assert_eq!(lake.row_count("public", "events").await.unwrap(), 0);

    let nanos = Schema::new(vec![Field::new(
        "at",
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        true,
    )]);
    let error = lake
        .create_table("public", "bad", &nanos)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, LakeError::ColumnType { column, .. } if column == "at"),
        "{error}"
    );
    assert!(!lake.table_exists("public", "bad").await.unwrap());
    let error = Lake::change_unsupported("public", "events", "UPDATE");
    assert!(
        error
            .to_string()
            .contains("rows of the embedded lake can only be added"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    assert!(matches!(
        Lake::open(dir.path()).await,
        Err(LakeError::InUse { .. })
    ));
    let reader = Lake::open_read_only(dir.path()).await.unwrap();
    assert!(matches!(
        reader
            .append("public", "events", vec![events(0, 1)], "c")
            .await,
        Err(LakeError::ReadOnly { .. })
    ));
    assert!(matches!(
        reader.drop_table("public", "events").await,
        Err(LakeError::ReadOnly { .. })
    ));
    drop(lake);
    assert!(Lake::open(dir.path()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_cannot_be_read_is_a_clear_error_and_stays_as_it_is() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("lake");
    assert!(matches!(
        Lake::open_read_only(&dir).await,
        Err(LakeError::Missing { .. })
    ));
    let lake = lake_with_events(&dir).await;
    lake.append("public", "events", vec![events(0, 10)], "c0")
        .await
        .unwrap();
    drop(lake);

    let moved = parent.path().join("moved");
    std::fs::rename(&dir, &moved).unwrap();
    let error = Lake::open(&moved).await.unwrap_err();
    assert!(
        matches!(&error, LakeError::Moved { table, .. } if table == "public.events"),
        "{error}"
    );
    assert!(error.to_string().contains("was moved"), "{error}");
    std::fs::rename(&moved, &dir).unwrap();
    assert_eq!(
        Lake::open(&dir)
            .await
            .unwrap()
            .row_count("public", "events")
            .await
            .unwrap(),
        10
    );

    let damages = [&b"no database, and longer than the header of one: 0123456789 0123456789 0123456789 0123456789"[..], &[0; 4096]];
    for (number, damage) in damages.into_iter().enumerate() {
        let dir = parent.path().join(format!("damaged{number}"));
        let rows = dir.join("warehouse/public/events/data/rows.parquet");
        std::fs::create_dir_all(rows.parent().unwrap()).unwrap();
        std::fs::write(&rows, "rows").unwrap();
        std::fs::write(dir.join("catalog.db"), damage).unwrap();
        for opened in [Lake::open(&dir).await, Lake::open_read_only(&dir).await] {
            let error = opened.unwrap_err();
            assert!(
                matches!(&error, LakeError::CatalogUnreadable { .. }),
                "{error}"
            );
            assert!(error.to_string().contains("catalog.db"), "{error}");
        }
        assert_eq!(
            std::fs::read(dir.join("catalog.db")).unwrap(),
            damage,
            "the damaged file is left for its owner"
        );
        assert!(rows.exists());

        std::fs::remove_file(dir.join("catalog.db")).unwrap();
        let error = Lake::open(&dir).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("catalog.db: it is missing, but warehouse/ holds rows"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_another_program_adds_and_deletes_are_seen() {
    let Some(python) = std::env::var_os("RWT_PYTHON") else {
        eprintln!("skipped: RWT_PYTHON names no Python with tests/lake/requirements.txt");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    lake.append("public", "events", vec![events(0, 10)], "c0")
        .await
        .unwrap();
    lake.append("public", "events", vec![events(10, 10)], "c1")
        .await
        .unwrap();
    assert_eq!(lake.scan("public", "events").await.unwrap().rows(), 20);
    let script = "import sys, pyarrow as pa\nfrom pyiceberg.catalog.sql import SqlCatalog\n\
        t = SqlCatalog('rwt', uri=f'sqlite:///{sys.argv[1]}/catalog.db').load_table('public.events')\n\
        t.append(pa.table({'id': pa.array([100], pa.int64()), 'page': ['added']}))\nt.delete('id = 3')\n";
    let output = std::process::Command::new(python)
        .args(["-c", script])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let expected: Vec<i64> = (0..20).filter(|id| *id != 3).chain([100]).collect();
    let sorted = |scan: &TableScan| {
        let mut ids = ids(scan);
        ids.sort_unstable();
        ids
    };
    assert_eq!(
        sorted(&lake.scan("public", "events").await.unwrap()),
        expected
    );
    assert_eq!(lake.row_count("public", "events").await.unwrap(), 20);
    // Our own commit ids are still known, and appends go on.
    assert_eq!(
        lake.last_commit_id("public", "events")
            .await
            .unwrap()
            .as_deref(),
        Some("c1")
    );
    assert!(
        lake.append("public", "events", vec![events(10, 10)], "c1")
            .await
            .unwrap()
            .already_committed
    );
    lake.append("public", "events", vec![events(20, 1)], "c2")
        .await
        .unwrap();
    assert_eq!(lake.scan("public", "events").await.unwrap().rows(), 21);
    // Opening removes nothing that a kept snapshot of the other program names.
    let before = files(dir.path(), ".parquet");
    drop(lake);
    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(files(dir.path(), ".parquet"), before);
    assert_eq!(lake.scan("public", "events").await.unwrap().rows(), 21);
}

/// PyIceberg and DuckDB read what the lake wrote; see tests/lake/read_lake.py for the summaries.
#[tokio::test(flavor = "multi_thread")]
async fn other_programs_read_the_lake() {
    let Some(python) = std::env::var_os("RWT_PYTHON") else {
        eprintln!("skipped: RWT_PYTHON names no Python with tests/lake/requirements.txt");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_with_events(dir.path()).await;
    for commit in 0..12 {
        lake.append(
            "public",
            "events",
            vec![events(commit * 10, 10)],
            &format!("c{commit}"),
        )
        .await
        .unwrap();
    }
    let types = every_type();
    lake.create_table("public", "types", &types.schema())
        .await
        .unwrap();
    lake.append("public", "types", vec![types], "c0")
        .await
        .unwrap();
    lake.create_table("other", "empty", &events_schema())
        .await
        .unwrap();

    // The lake stays open: they read beside the writer.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lake/read_lake.py");
    let output = std::process::Command::new(python)
        .arg(script)
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();

    let pages: Vec<String> = (0..120)
        .filter(|id| id % 7 != 0)
        .map(|id| format!("page_{}", id % 100))
        .collect();
    let expected_events = serde_json::json!({"rows": 120, "columns": {
        "id": {"non_null": 120, "sum": "7140", "min": "0", "max": "119"},
        "page": {"non_null": pages.len(), "length": pages.iter().map(String::len).sum::<usize>(), "min": "page_0", "max": "page_99"},
    }});
    let expected_types = serde_json::json!({"rows": 3, "columns": {
        "_risingwave_iceberg_row_id": {"non_null": 3, "sum": "6", "min": "1", "max": "3"},
        "flag": {"non_null": 2, "true": 1},
        "small": {"non_null": 2, "sum": "-1", "min": "-32768", "max": "32767"},
        "int": {"non_null": 2, "sum": "-1", "min": "-2147483648", "max": "2147483647"},
        "big": {"non_null": 2, "sum": "-1", "min": "-9223372036854775808", "max": "9223372036854775807"},
        "real": {"non_null": 2, "nan": 1, "min": 1.5, "max": 1.5},
        "double": {"non_null": 2, "nan": 0, "min": "-inf", "max": "2.5"},
        "num": {
            "non_null": 2, "sum": "-9999999999999999999999999998.4999999999",
            "min": "-9999999999999999999999999999.9999999999", "max": "1.5",
        },
        "text": {"non_null": 2, "length": 14, "min": "", "max": "w\u{f6}rd, \"quoted\""},
        "bytes": {"non_null": 2, "length": 2},
        "day": {"non_null": 2, "min": "0001-01-01", "max": "2024-05-06"},
        "clock": {"non_null": 2, "min": "00:00:00", "max": "23:59:59.999999"},
        "at": {"non_null": 2, "min": "1969-12-31 23:59:59.999999", "max": "2024-05-06 07:08:09.123456"},
        "at_zone": {"non_null": 2, "min": "1970-01-01 00:00:00", "max": "2024-05-06 07:08:09.123456"},
        "span": {"non_null": 2, "length": 42, "min": "00:00:00", "max": "1 year 2 mons -3 days 04:05:06.789"},
        "json": {"non_null": 2, "length": 12, "min": "null", "max": "{\"a\": 1}"},
        "ints": {"non_null": 2, "items": 2},
        "smalls": {"non_null": 2, "items": 1},
        "texts": {"non_null": 2, "items": 3},
        "part": {"non_null": 2},
    }});
    let none = serde_json::json!({"rows": 0, "columns": {
        "id": {"non_null": 0, "sum": "0", "min": null, "max": null}, "page": {"non_null": 0, "length": 0, "min": null, "max": null},
    }});
    for reader in ["pyiceberg", "duckdb"] {
        assert_eq!(report["public.events"][reader], expected_events, "{reader}");
        assert_eq!(report["public.types"][reader], expected_types, "{reader}");
        assert_eq!(report["other.empty"][reader], none, "{reader}");
    }
}
