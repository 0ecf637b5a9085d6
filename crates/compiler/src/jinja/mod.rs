//! Jinja as dbt speaks it, on minijinja.
//!
//! [`rewrite`] turns dbt's block tags into what minijinja parses, [`Jinja`] holds every macro file and model compiled,
//! and a [`Scope`] is what one rendering can see: node, configuration, target, variables and the session that its
//! statements go to. Errors come back as [`TemplateError`] with the places in the files of the project.

mod adapter;
mod collections;
mod config;
mod edits;
mod environment;
mod error;
mod filters;
mod functions;
mod lazy;
mod macros;
mod modules;
mod relation;
mod rewrite;
mod scope;
mod statement;
mod yaml;

pub use collections::{from_json, to_json};
pub use edits::OffsetMap;
pub use environment::{Jinja, LineMap, Rendered};
pub use error::{Place, TemplateError, raise};
pub use functions::env_var;
pub use macros::{MacroDefinition, MacroTable};
pub use relation::Relation;
pub use rewrite::{FileKind, Rewritten, TagError, rewrite};
pub use scope::{
    Captured, Level, NodeScope, Phase, Quiet, Reporter, Resolve, Scope, Shared, SharedSession,
    StatementResult, config_key,
};
pub use yaml::YamlRenderer;

pub(crate) use collections::pairs_of;
pub(crate) use lazy::lazy;
pub(crate) use scope::scope_of;
pub(crate) use statement::execute as send;
