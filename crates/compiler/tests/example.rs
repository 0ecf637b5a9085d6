//! The example project in the repository's root.

mod support;

use std::path::{Path, PathBuf};

use rwt_compiler::compile::output::Output;
use rwt_compiler::{Compiler, Flags, load};
use rwt_project::LoadOptions;
use rwt_project::environment::Environment;
use support::{all_shown, shown};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(target: &str, variables: &[(&str, &str)]) -> Compiler {
    let options = LoadOptions {
        project_dir: Some(root()),
        target: Some(target.to_owned()),
        environment: Environment::fixed(variables.iter().copied()),
        ..LoadOptions::default()
    };
    let project = load(&options).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.into_iter().map(|error| shown(&error)).collect();
        panic!("{}", errors.join("\n"))
    });
    Compiler::load(project, Flags::default())
        .unwrap_or_else(|errors| panic!("{}", all_shown(&errors)))
}

fn output(compiler: &Compiler) -> (Output, String) {
    let nodes = compiler
        .compile_all(&compiler.order())
        .unwrap_or_else(|errors| panic!("{}", all_shown(&errors)));
    let problems: Vec<_> = nodes
        .iter()
        .flat_map(|node| &node.statements)
        .filter_map(|statement| statement.problem.as_deref())
        .collect();
    assert_eq!(problems, Vec::<&str>::new());
    let script = compiler.script(&nodes).expect("writes");
    (Output::complete(&nodes, script.clone()), script)
}

#[test]
fn compiled_files_are_up_to_date() {
    let (output, _) = output(&example("embedded", &[]));
    let differences = output.differences(&root()).expect("compares");
    assert!(differences.is_empty(), "run `rwt compile`: {differences:?}");
}

#[test]
fn one_connection_and_one_setting_per_database() {
    let (_, script) = output(&example("embedded", &[]));
    assert_eq!(script.matches("create connection").count(), 1);
    assert_eq!(script.matches("set iceberg_engine_connection").count(), 1);
}

#[test]
fn a_clusters_secrets_stay_out_of_the_script() {
    let compiler = example(
        "risingwave",
        &[
            ("LAKE_S3_SECRET_KEY", "hunter2"),
            ("LAKE_S3_ACCESS_KEY", "access-me"),
        ],
    );
    let (_, script) = output(&compiler);
    assert!(!script.contains("hunter2") && !script.contains("access-me"));
    assert!(
        script.contains("\\getenv LAKE_S3_SECRET_KEY LAKE_S3_SECRET_KEY\n"),
        "{script}"
    );
    assert!(
        script.contains("s3.secret.key = :'LAKE_S3_SECRET_KEY'"),
        "{script}"
    );
}
