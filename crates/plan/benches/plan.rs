//! Plans of 1,000 objects: on an empty database, unchanged, and with one view changed that eight others stand on.
//! Collecting what the project wants, which is compiling it, is measured beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use rwt_compiler::{Compiler, Flags, load};
use rwt_plan::catalog::{CatalogObject, CatalogSnapshot, Server, ServerKind};
use rwt_plan::state::{STATE_FORMAT, StateObject};
use rwt_plan::{Desired, Options, ServerVersion, StateSnapshot, plan};
use rwt_project::LoadOptions;

const MODELS: usize = 1_000;

/// One model in ten is a table, the others read the one before them.
fn model(number: usize, changed: bool) -> String {
    if number.is_multiple_of(10) {
        return "{{ config(materialized='table_with_connector') }}\n\
             create table {{ this }} (user_id int, amount double precision, event_time timestamp)\n"
            .to_owned();
    }
    let aggregate = if changed { "max" } else { "sum" };
    let columns: Vec<String> = (0..12)
        .map(|column| {
            format!(
                "    {aggregate}(amount) filter (where user_id % {} = 0) as c{column}",
                column + 2
            )
        })
        .collect();
    format!(
        "select user_id, event_time, count(*) as amount,\n{}\nfrom {{{{ ref('model_{}') }}}}\ngroup by user_id, event_time\n",
        columns.join(",\n"),
        number - 1
    )
}

fn write(dir: &Path, changed: Option<usize>) {
    let write = |path: String, text: &str| {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    };
    write(
        "project.yml".to_owned(),
        "name: shop\nprofile: shop\nconfig-version: 2\nmodels:\n  shop:\n    +materialized: materialized_view\n",
    );
    write(
        "profiles.yml".to_owned(),
        "shop:\n  target: dev\n  outputs:\n    dev:\n      type: embedded\n",
    );
    for number in 0..MODELS {
        write(
            format!("models/model_{number}.sql"),
            &model(number, changed == Some(number)),
        );
    }
}

fn desired(dir: &Path) -> Desired {
    let options = LoadOptions {
        project_dir: Some(dir.to_path_buf()),
        ..LoadOptions::default()
    };
    let compiler =
        Compiler::load(load(&options).expect("loads"), Flags::default()).expect("parses");
    let compiled = compiler.compile_all(&compiler.objects());
    Desired::collect(&compiler, &compiled.expect("compiles")).expect("compiles")
}

/// The database and the state after all of it was created.
fn created(desired: &Desired, empty: &CatalogSnapshot) -> (StateSnapshot, CatalogSnapshot) {
    let selection = desired.objects.keys().cloned().collect();
    let made = plan(
        desired,
        &selection,
        &StateSnapshot::default(),
        empty,
        &Options::default(),
    )
    .expect("a plan");
    let ids: BTreeMap<&str, u64> = desired
        .objects
        .keys()
        .map(String::as_str)
        .zip(1..)
        .collect();
    let mut catalog = empty.clone();
    for (unique_id, object) in &desired.objects {
        let id = ids[unique_id.as_str()];
        catalog.objects.insert(
            id,
            CatalogObject {
                relation: object.relation.clone(),
                kind: object.kind,
                owner: "root".to_owned(),
                definition: Some(object.create.clone()),
                creating: false,
                columns: Vec::new(),
                acl: Vec::new(),
                sink_into: None,
            },
        );
        for above in &object.bound_to {
            catalog.dependencies.insert((id, ids[above.as_str()]));
        }
    }
    let objects = made.objects.iter().filter_map(|object| {
        let record = object.record.clone()?;
        let state = StateObject {
            project: desired.project.clone(),
            relation: record.relation,
            kind: record.kind,
            object_id: ids.get(object.unique_id.as_str()).copied(),
            columns: Vec::new(),
            fingerprint: record.fingerprint,
            definition: record.definition,
            deployment: "d1".to_owned(),
            applied_at: "2026-11-22T12:00:00Z".to_owned(),
        };
        Some((object.unique_id.clone(), state))
    });
    let state = StateSnapshot {
        format: STATE_FORMAT,
        rwt_version: "0.1.0".to_owned(),
        objects: objects.collect(),
        leftovers: Vec::new(),
    };
    (state, catalog)
}

fn benches(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), None);
    let before = desired(dir.path());
    let empty = CatalogSnapshot::empty(
        Server {
            version: ServerVersion::new(2, 8, 4),
            kind: ServerKind::Risingwave,
        },
        "root",
    );
    let (state, catalog) = created(&before, &empty);
    // The model right on the first table: nine are below it in a chain.
    write(dir.path(), Some(1));
    let after = desired(dir.path());
    let selection: BTreeSet<String> = before.objects.keys().cloned().collect();
    let options = Options::default();

    let unchanged = plan(&before, &selection, &state, &catalog, &options).expect("a plan");
    assert!(!unchanged.has_changes());
    let changed = plan(&after, &selection, &state, &catalog, &options).expect("a plan");
    assert_eq!(changed.summary(), "9 to swap, 991 unchanged");

    let mut group = criterion.benchmark_group("1,000 objects");
    group.sample_size(10);
    group.bench_function("collect", |bencher| bencher.iter(|| desired(dir.path())));
    group.bench_function("plan, empty database", |bencher| {
        let state = StateSnapshot::default();
        bencher.iter(|| plan(&before, &selection, &state, &empty, &options));
    });
    group.bench_function("plan, unchanged", |bencher| {
        bencher.iter(|| plan(&before, &selection, &state, &catalog, &options));
    });
    group.bench_function("plan, one changed", |bencher| {
        bencher.iter(|| plan(&after, &selection, &state, &catalog, &options));
    });
    group.finish();
}

criterion_group!(plan_benches, benches);
criterion_main!(plan_benches);
