//! The example project in the repository's root, compiled.

use std::path::PathBuf;

use rwt_compiler::{Compiler, Flags, load};
use rwt_project::LoadOptions;
use rwt_project::environment::Environment;

fn example() -> Compiler {
    let options = LoadOptions {
        project_dir: Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))),
        environment: Environment::fixed([("HOME", "/nowhere")]),
        ..LoadOptions::default()
    };
    let project = load(&options).unwrap_or_else(|errors| {
        for error in errors {
            eprintln!("{:?}", miette::Report::new(error));
        }
        panic!("the example loads");
    });
    Compiler::load(project, Flags::default()).unwrap_or_else(|errors| {
        for error in errors.0 {
            eprintln!("{:?}", miette::Report::new(error));
        }
        panic!("the example parses");
    })
}

#[test]
fn script() {
    let compiler = example();
    let nodes = compiler
        .compile_all(&compiler.order())
        .unwrap_or_else(|errors| {
            for error in errors.0 {
                eprintln!("{:?}", miette::Report::new(error));
            }
            panic!("the example compiles");
        });
    println!("{}", compiler.script(&nodes).expect("writes"));
}
