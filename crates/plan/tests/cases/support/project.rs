//! Fixture projects: the folders `v1`, `v2`, … of a case, each laid over the ones before; an empty file removes one.

use std::path::{Path, PathBuf};

use rwt_compiler::{Compiler, Flags, load};
use rwt_plan::Desired;
use rwt_project::LoadOptions;
use rwt_project::environment::Environment;

const PROJECT: &str = "name: shop\nprofile: shop\nconfig-version: 2\n";
const PROFILES: &str = "shop:\n  target: dev\n  outputs:\n    dev:\n      type: embedded\n";

fn lay(from: &Path, over: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder of the fixture") {
        let path = entry.expect("an entry").path();
        let to = over.join(path.file_name().expect("a name"));
        if path.is_dir() {
            std::fs::create_dir_all(&to).expect("a folder");
            lay(&path, &to);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a file");
        if text.trim().is_empty() {
            std::fs::remove_file(&to).expect("a file to remove");
        } else {
            std::fs::write(&to, text).expect("a file");
        }
    }
}

/// What a version of a case wants, with these variables of the environment and of `--vars`.
pub fn desired(case: &str, version: usize, env: &[(&str, &str)], vars: &str) -> Desired {
    let case: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/plan")
        .join(case);
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("project.yml"), PROJECT).expect("a file");
    std::fs::write(dir.path().join("profiles.yml"), PROFILES).expect("a file");
    for number in 1..=version {
        let folder = case.join(format!("v{number}"));
        assert!(folder.is_dir(), "{} is missing", folder.display());
        lay(&folder, dir.path());
    }
    desired_in(dir.path(), env, vars)
}

/// What a project of these files wants.
pub fn desired_of(files: &[(String, String)]) -> Desired {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    };
    write("project.yml", PROJECT);
    write("profiles.yml", PROFILES);
    for (path, text) in files {
        write(path, text);
    }
    desired_in(dir.path(), &[], "")
}

fn desired_in(dir: &Path, env: &[(&str, &str)], vars: &str) -> Desired {
    let mut options = LoadOptions {
        project_dir: Some(dir.to_path_buf()),
        environment: Environment::fixed(env.iter().copied()),
        ..LoadOptions::default()
    };
    for pair in vars.split_whitespace() {
        let (name, value) = pair.split_once('=').expect("name=value");
        options.vars.insert(name.to_owned(), value.into());
    }
    let project = load(&options).unwrap_or_else(|errors| panic!("{errors:?}"));
    let compiler =
        Compiler::load(project, Flags::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let compiled = compiler.compile_all(&compiler.objects());
    compiled
        .and_then(|compiled| Desired::collect(&compiler, &compiled))
        .unwrap_or_else(|errors| panic!("{errors}"))
}
