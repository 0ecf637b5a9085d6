//! The graph of 10,000 models and a choice in it, against a scan that looks at every node once per step.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use indexmap::{IndexMap, IndexSet};
use rwt_project::graph::{Dag, Selection};
use rwt_project::manifest::{Declared, Manifest, Node, ResourceType, UniqueId};

const MODELS: usize = 10_000;

fn id(number: usize) -> UniqueId {
    UniqueId(format!("model.shop.m{number:05}"))
}

/// Each model reads three of those before it; every hundredth reads none.
fn manifest() -> Manifest {
    let nodes = (0..MODELS).map(|number| {
        let reads = [
            number / 2,
            number.saturating_sub(1),
            number.saturating_sub(7),
        ];
        let depends_on = match number % 100 {
            0 => Vec::new(),
            _ => reads
                .into_iter()
                .filter(|read| *read < number)
                .map(id)
                .collect(),
        };
        let node = Node {
            unique_id: id(number),
            resource_type: ResourceType::Model,
            name: format!("m{number:05}"),
            source_name: None,
            package_name: "shop".to_owned(),
            fqn: vec![
                "shop".to_owned(),
                format!("f{}", number % 50),
                format!("m{number:05}"),
            ],
            original_file_path: format!("models/f{}/m{number:05}.sql", number % 50).into(),
            path: format!("f{}/m{number:05}.sql", number % 50).into(),
            database: "dev".to_owned(),
            schema: "public".to_owned(),
            identifier: format!("m{number:05}"),
            materialized: "view".to_owned(),
            enabled: true,
            tags: IndexSet::from([format!("t{}", number % 10)]),
            config: IndexMap::new(),
            description: String::new(),
            columns: IndexMap::new(),
            raw_code: String::new(),
            depends_on,
            version: None,
            property_file: None,
            declared: Declared::default(),
        };
        (node.unique_id.clone(), node)
    });
    Manifest {
        project_name: "shop".to_owned(),
        nodes: nodes.collect(),
        disabled: Vec::new(),
    }
}

/// The peer: adds the parents of what is chosen until nothing is added.
fn scan(manifest: &Manifest, name: &str) -> BTreeSet<UniqueId> {
    let mut chosen: BTreeSet<UniqueId> = manifest
        .nodes
        .values()
        .filter(|node| node.name == name)
        .map(|node| node.unique_id.clone())
        .collect();
    loop {
        let before = chosen.len();
        for node in manifest.nodes.values() {
            if chosen.contains(&node.unique_id) {
                chosen.extend(node.depends_on.iter().cloned());
            }
        }
        if chosen.len() == before {
            return chosen;
        }
    }
}

fn graph(criterion: &mut Criterion) {
    let manifest = manifest();
    let dag = Dag::new(&manifest).expect("no model reads a later one");
    let all: BTreeSet<UniqueId> = dag.ids().cloned().collect();
    let parse = |text: &str| Selection::parse(&[text], &[]).expect("it is a selector");
    let above = parse("+m09999");
    assert_eq!(
        above.resolve(&manifest, &dag).nodes,
        scan(&manifest, "m09999")
    );
    let mut group = criterion.benchmark_group("graph of 10,000 models");
    group.sample_size(20);
    group.bench_function("build", |bench| {
        bench.iter(|| Dag::new(black_box(&manifest)))
    });
    group.bench_function("order", |bench| bench.iter(|| dag.order(black_box(&all))));
    group.bench_function("select +name", |bench| {
        bench.iter(|| above.resolve(&manifest, &dag));
    });
    group.bench_function("select +name by scanning", |bench| {
        bench.iter(|| scan(&manifest, black_box("m09999")));
    });
    let mixed = parse("tag:t3,path:models/f3 @m05000 config.materialized:view");
    group.bench_function("select tag, path, @ and config", |bench| {
        bench.iter(|| mixed.resolve(&manifest, &dag));
    });
    group.finish();
}

criterion_group!(benches, graph);
criterion_main!(benches);
