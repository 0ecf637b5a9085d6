//! From a project's text to statements: Jinja with dbt's context ([`jinja`]), the parse phase ([`parse`]), materializations
//! as macros and the sessions that their statements go to ([`materialize`]), and the compiled files ([`compile`]).
//! [`load`] and [`Compiler`] are the way in.

pub mod compile;
mod compiler;
mod error;
pub mod jinja;
pub mod materialize;
mod parse;

use rwt_project::{LoadErrors, LoadOptions, Project};

pub use compile::CompiledNode;
pub use compiler::{Compiler, Flags, NodeOutcome, NodeResult, QueryComment, When};
pub use error::{CompileError, CompileErrors, Problem};

/// The dbt whose behaviour is followed: `dbt_version` in templates and in artifacts.
pub const DBT_VERSION: &str = "1.12.6";

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
