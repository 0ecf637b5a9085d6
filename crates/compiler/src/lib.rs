//! From a project's text to statements: Jinja with dbt's context ([`jinja`]), the parse phase ([`parse`]), materializations
//! as macros and the sessions that their statements go to ([`materialize`]), the compiled files ([`compile`]), and what
//! other programs read of all that ([`artifacts`]).
//! [`load`] and [`Compiler`] are the way in.

pub mod artifacts;
mod checksum;
pub mod compile;
mod compiler;
mod error;
mod fixture;
pub mod jinja;
pub mod materialize;
pub mod microbatch;
mod parse;

use std::path::PathBuf;

use rwt_project::project::ProjectFile;
use rwt_project::{LoadErrors, LoadOptions, Project};

pub use compile::CompiledNode;
pub use compiler::{
    CompiledInPart, Compiler, Deferred, Flags, Freshness, FreshnessStatus, NodeResult,
    QueryComment, TestInput, TestResult, UnitTestPlan, When,
};
pub use error::{CompileError, CompileErrors, Problem};
pub use fixture::{Cell, RowValues, TestRow, TestRows};

/// The dbt whose behaviour is followed: `dbt_version` in templates and in artifacts.
pub const DBT_VERSION: &str = "1.12.6";

/// What [`check`] found out.
pub struct Checked {
    /// The project, parsed, if nothing is wrong with it.
    pub compiler: Option<Compiler>,
    /// What is wrong with the project, profile and property files.
    pub load: Vec<rwt_project::LoadError>,
    /// What is wrong with macros, models and tests.
    pub compile: Vec<CompileError>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<rwt_project::yaml::Warning>,
}

/// Reads and parses a project and tells all that is wrong with it: errors of models too where property files are wrong,
/// but none that only follows from what could not be read there.
pub fn check(options: &LoadOptions, flags: Flags) -> Checked {
    let renderer = jinja::YamlRenderer::new();
    let environment = &options.environment;
    let loaded = Project::load_in_part(options, &|text, at, scope| {
        renderer.render(text, at, scope, environment)
    });
    let (project, load) = match loaded {
        Ok(loaded) => loaded,
        Err(errors) => {
            return Checked {
                compiler: None,
                load: errors.0,
                compile: Vec::new(),
                warnings: Vec::new(),
            };
        }
    };
    let mut warnings = project.warnings.clone();
    let (compiler, mut compile) = match Compiler::load(project, flags) {
        Ok(compiler) => {
            warnings.extend(compiler.warnings().iter().cloned());
            (Some(compiler), Vec::new())
        }
        Err(errors) => (None, errors.0),
    };
    if !load.is_empty() {
        // The source or model may well be in the file that could not be read.
        compile.retain(|error| !error.is_of_a_name());
    }
    Checked {
        compiler: compiler.filter(|_| load.is_empty()),
        load,
        compile,
        warnings,
    }
}

/// Reads the project file alone, for what needs no target: the project's directory and the file.
///
/// # Errors
/// There is none, or it is not one.
pub fn load_file(options: &LoadOptions) -> Result<(PathBuf, ProjectFile), LoadErrors> {
    let renderer = jinja::YamlRenderer::new();
    let environment = &options.environment;
    Project::load_file(options, &|text, at, scope| {
        renderer.render(text, at, scope, environment)
    })
}

/// Reads a project from disk, with Jinja in its YAML files rendered.
///
/// # Errors
/// As much of what is wrong as can be told at once.
pub fn load(options: &LoadOptions) -> Result<Project, LoadErrors> {
    let renderer = jinja::YamlRenderer::new();
    let environment = &options.environment;
    Project::load(options, &|text, at, scope| {
        renderer.render(text, at, scope, environment)
    })
}
