//! Projects for tests: in memory as a list of files, or as folders under `tests/fixtures`.

#![allow(dead_code)]

pub mod corpus;
pub mod replica;

use std::path::{Path, PathBuf};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use rwt_compiler::{CompileErrors, CompiledNode, Compiler, Flags, load};
use rwt_project::LoadOptions;
use rwt_project::environment::Environment;
use rwt_project::manifest::UniqueId;
use tempfile::TempDir;

pub const PROJECT: &str = "name: shop\nprofile: shop\nconfig-version: 2\n";
pub const PROFILES: &str = "shop:\n  target: dev\n  outputs:\n    dev:\n      type: embedded\n";

/// A project of these files; `project.yml` and `profiles.yml` come along.
pub fn project(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let base = [("project.yml", PROJECT), ("profiles.yml", PROFILES)];
    for (path, text) in base.iter().chain(files) {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("a file");
    }
    dir
}

/// Loads a directory with these environment variables.
pub fn compiler_in(
    dir: &Path,
    variables: &[(&str, &str)],
    flags: Flags,
) -> Result<Compiler, String> {
    let options = LoadOptions {
        project_dir: Some(dir.to_path_buf()),
        environment: Environment::fixed(variables.iter().copied()),
        ..LoadOptions::default()
    };
    let project = load(&options).map_err(|errors| {
        let shown: Vec<String> = errors.into_iter().map(|error| shown(&error)).collect();
        shown.join("\n")
    })?;
    Compiler::load(project, flags).map_err(|errors| all_shown(&errors))
}

/// A compiler for these files.
pub fn compiler(files: &[(&str, &str)]) -> Result<Compiler, String> {
    let dir = project(files);
    compiler_in(dir.path(), &[], Flags::default())
}

/// The model `name`, compiled.
pub fn compiled(files: &[(&str, &str)], name: &str) -> Result<CompiledNode, String> {
    let compiler = compiler(files)?;
    compiler
        .compile(&UniqueId(format!("model.shop.{name}")))
        .map_err(|error| shown(&error))
}

/// The rendered text of one model with these macros.
pub fn render(model: &str, macros: &str) -> Result<String, String> {
    let files = [("models/m.sql", model), ("macros/m.sql", macros)];
    compiled(&files, "m").map(|node| node.compiled_code)
}

/// A diagnostic as people see it, without colours.
pub fn shown(error: &dyn Diagnostic) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut out, error)
        .expect("renders");
    out
}

pub fn all_shown(errors: &CompileErrors) -> String {
    let shown: Vec<String> = errors.0.iter().map(|error| shown(error)).collect();
    shown.join("\n")
}

/// A folder under `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}
