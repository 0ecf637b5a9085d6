//! Reading, parsing and compiling generated projects of 100, 1,000 and 10,000 models (`benches/compare/generate.py`, which
//! needs python3), beside the floor: reading the same files, and minijinja alone rendering the same models once with
//! functions that do nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Value, context};
use rwt_compiler::compile::output::Output;
use rwt_compiler::{Compiler, Flags, load};
use rwt_project::LoadOptions;
use tempfile::TempDir;

const SIZES: [usize; 3] = [100, 1_000, 10_000];

fn generate(models: usize) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../benches/compare/generate.py"
    );
    let done = Command::new("python3")
        .args([script, &models.to_string()])
        .arg(dir.path())
        .status();
    assert!(done.expect("python3 runs").success());
    dir
}

/// What `rwt compile` does.
fn compile(dir: &Path) -> usize {
    let options = LoadOptions {
        project_dir: Some(dir.to_path_buf()),
        ..LoadOptions::default()
    };
    let project = load(&options).expect("loads");
    let compiler = Compiler::load(project, Flags::default()).expect("parses");
    let nodes = compiler.compile_all(&compiler.order()).expect("compiles");
    let script = compiler.script(&nodes).expect("writes");
    let output = Output::complete(&nodes, script);
    output.write(dir).expect("writes").len()
}

/// The project's files, models first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut folders = vec![dir.join("models")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files
}

fn read(files: &[PathBuf]) -> usize {
    let text = |file: &PathBuf| std::fs::read_to_string(file).expect("a file").len();
    files.iter().map(text).sum()
}

/// Renders the models with functions in place of the project's macros.
fn minijinja_alone(files: &[PathBuf]) -> usize {
    let mut env = Environment::new();
    env.add_function("config", |_: Kwargs| "");
    env.add_function("ref", |name: String| name);
    env.add_function("source", |source: String, table: String| {
        format!("{source}.{table}")
    });
    env.add_function("var", |name: String| name);
    let macros = files.len().div_ceil(100);
    let names = ["cents", "rate", "by_currency", "since"].map(str::to_owned);
    let buckets = (0..macros).map(|number| format!("bucket_{number}"));
    for name in names.into_iter().chain(buckets) {
        env.add_function(name, |args: Rest<String>| args.join(", "));
    }
    let context = context!(execute => true, this => Value::from("this"));
    let render = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).expect("a file");
        env.render_str(&text, context.clone())
            .expect("renders")
            .len()
    };
    files.iter().map(render).sum()
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for models in SIZES {
        let dir = generate(models);
        let files = files(dir.path());
        let is_model = |file: &&PathBuf| file.extension().is_some_and(|ending| ending == "sql");
        let texts: Vec<PathBuf> = files.iter().filter(is_model).cloned().collect();
        compile(dir.path());
        group.bench_with_input(BenchmarkId::new("rwt", models), &models, |bencher, _| {
            bencher.iter(|| compile(dir.path()));
        });
        group.bench_with_input(
            BenchmarkId::new("minijinja", models),
            &models,
            |bencher, _| bencher.iter(|| minijinja_alone(&texts)),
        );
        group.bench_with_input(BenchmarkId::new("files", models), &models, |bencher, _| {
            bencher.iter(|| read(&files));
        });
    }
    group.finish();
}

criterion_group!(compile_benches, benches);
criterion_main!(compile_benches);
