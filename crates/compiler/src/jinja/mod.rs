//! Jinja as dbt speaks it, on minijinja.
//!
//! [`rewrite`] turns dbt's block tags into what minijinja parses, [`Jinja`] holds every macro file and model compiled,
//! and a [`Scope`] is what one rendering can see: node, configuration, target, variables and the session that its
//! statements go to. Errors come back as [`TemplateError`] with the places in the files of the project.

mod adapter;
mod arithmetic;
mod collections;
mod column;
mod config;
mod contract;
mod edits;
mod environment;
mod error;
mod filters;
mod functions;
mod itertools;
mod lazy;
mod macros;
mod modules;
mod moment;
mod regex_module;
mod relation;
mod rewrite;
pub(crate) mod scan;
mod scope;
mod seed;
mod seed_check;
mod sets;
mod statement;
mod table;
mod table_methods;
mod text_methods;
mod timedelta;
mod yaml;
mod zones;

pub use collections::{from_json, to_json};
pub use edits::OffsetMap;
pub use environment::{Jinja, LineMap, Origin, Rendered, TemplateText};
pub use error::{Place, TemplateError, raise};
pub use functions::env_var;
pub use macros::{MacroDefinition, MacroTable};
pub use relation::{EventTimeFilter, Relation};
pub use rewrite::{FileKind, Rewritten, TagError, rewrite};
pub use scope::{
    Captured, Level, NodeScope, Overridden, Phase, Quiet, Reporter, Resolve, Scope, Shared,
    SharedSession, StatementResult, config_key,
};
pub use yaml::YamlRenderer;

pub(crate) use collections::{dict, list, pairs_of};
pub(crate) use contract::{check_text as check_contract_text, compare as compare_contract};
pub(crate) use lazy::lazy;
pub(crate) use moment::datetime;
pub(crate) use scope::scope_of;
pub(crate) use seed::load as load_seed;
pub(crate) use seed_check::check_seed;
pub(crate) use statement::execute as send;
pub(crate) use table::rows_sql;
