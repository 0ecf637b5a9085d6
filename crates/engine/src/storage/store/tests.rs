use std::fs;

use arrow::array::{AsArray, Int32Array, RecordBatch};
use arrow::datatypes::Int32Type;
use rwt_sql::{DataType, Ident, ObjectName};

use super::*;
use crate::catalog::{Body, Catalog, Column, Definition, Object, Table};
use crate::storage::stored_schema;
use std::sync::Arc;

const TABLE: u32 = 9;

fn catalog() -> Arc<Catalog> {
    let mut catalog = Catalog::default();
    let name = ObjectName(vec![Ident::new("t")]);
    let object = Object {
        id: TABLE,
        schema: 2,
        name: "t".into(),
        owner: 1,
        definition: Definition::new("CREATE TABLE", &name).text(" (a INT)"),
        columns: vec![Column::new("a", DataType::Integer)],
        depends_on: Vec::new(),
        created_at: 0,
        comment: None,
        part_of: None,
        body: Body::Table(Table::default()),
    };
    catalog.objects.insert(TABLE, object);
    Arc::new(catalog)
}

fn rows(values: std::ops::Range<i32>) -> Change {
    let schema = stored_schema(&catalog().objects[&TABLE]);
    let batch =
        RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from_iter_values(values))]).unwrap();
    Change::Insert(TABLE, batch)
}

/// A run of one DDL and then checkpoints of three rows each, of which one is deleted.
fn run(dir: &Path, checkpoints: i32) {
    let (mut store, _) = Store::open(dir).unwrap();
    store
        .commit(1, &[Change::Catalog(catalog()), Change::Create(TABLE)])
        .unwrap();
    for i in 0..checkpoints {
        let deleted = Change::Delete(TABLE, vec![i64::from(i) * 3]);
        let number = u64::try_from(i).unwrap() + 2;
        store
            .commit(number, &[rows(i * 3..i * 3 + 3), deleted])
            .unwrap();
    }
}

fn values(state: &State) -> Vec<i32> {
    let Some(table) = state.tables.get(&TABLE) else {
        return Vec::new();
    };
    let scan = table.scan().unwrap();
    scan.iter()
        .flat_map(|b| b.column(0).as_primitive::<Int32Type>().values().to_vec())
        .collect()
}

fn expected(checkpoints: i32) -> Vec<i32> {
    (0..checkpoints)
        .flat_map(|i| [i * 3 + 1, i * 3 + 2])
        .collect()
}

#[test]
fn a_log_cut_at_any_byte_gives_the_checkpoints_before_the_cut() {
    let origin = tempfile::tempdir().unwrap();
    run(origin.path(), 2);
    let log = fs::read(file_name(origin.path(), 0, "log")).unwrap();
    let mut seen = Vec::new();
    for cut in 0..=log.len() {
        let dir = tempfile::tempdir().unwrap();
        let path = file_name(dir.path(), 0, "log");
        fs::write(&path, &log[..cut]).unwrap();
        let (mut store, mut state) =
            Store::open(dir.path()).unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        let done = i32::try_from(state.checkpoint).unwrap() - 1;
        assert_eq!(values(&state), expected(done.max(0)), "cut at {cut}");
        seen.push(done);
        // and the engine goes on from there
        if done >= 0 && cut % 16 == 0 {
            let more = rows(100..101);
            store
                .commit(state.checkpoint + 1, std::slice::from_ref(&more))
                .unwrap();
            state.apply(&more).unwrap();
            drop(store);
            let (_, again) = Store::open(dir.path()).unwrap();
            assert_eq!(values(&again), values(&state));
        }
    }
    assert!(seen.is_sorted());
    assert_eq!((seen[0], seen[log.len()]), (-1, 2));
}

#[test]
fn damage_in_the_middle_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 4);
    let path = file_name(dir.path(), 0, "log");
    let sound = fs::read(&path).unwrap();
    for at in [14, 20, 30, sound.len() / 2] {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert!(
            matches!(error, StorageError::Damaged { .. }),
            "byte {at}: {error}"
        );
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    fs::write(&path, &sound).unwrap();
    assert_eq!(values(&Store::open(dir.path()).unwrap().1), expected(4));
}

#[test]
fn a_newer_format_and_a_second_process_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 1);
    {
        let (_held, _) = Store::open(dir.path()).unwrap();
        assert!(matches!(
            Store::open(dir.path()),
            Err(StorageError::InUse(_))
        ));
    }
    let path = file_name(dir.path(), 0, "log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 99;
    fs::write(&path, bytes).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(
        matches!(error, StorageError::Newer { found: 99, .. }),
        "{error}"
    );
}

#[test]
fn a_snapshot_replaces_the_logs_before_it() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 3);
    let (mut store, mut state) = Store::open(dir.path()).unwrap();
    let job = store.rotate().unwrap();
    // checkpoints go on while the snapshot is written
    let before = state.clone();
    let more = rows(50..51);
    store.commit(9, std::slice::from_ref(&more)).unwrap();
    state.apply(&more).unwrap();
    let expected_values = values(&state);
    // a crash before the snapshot is complete uses the older files
    drop(store);
    let (mut store, recovered) = Store::open(dir.path()).unwrap();
    assert_eq!(values(&recovered), expected_values);
    let bytes = job.write(&before).unwrap();
    store.finish(&job, bytes);
    assert!(!file_name(dir.path(), 0, "log").exists());
    drop(store);
    let (_, recovered) = Store::open(dir.path()).unwrap();
    assert_eq!(values(&recovered), expected_values);
    assert_eq!(recovered.checkpoint, 9);
    assert_eq!(
        recovered.tables[&TABLE].next_row_id(),
        state.tables[&TABLE].next_row_id()
    );
}
