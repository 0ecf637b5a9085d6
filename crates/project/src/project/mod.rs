//! A project on disk: its file ([`ProjectFile`]), the models, macros and property files below it, and the configuration
//! that a node ends up with ([`ResolvedConfig`]). [`Project::load`] reads all of it once.

mod config;
mod discover;
mod error;
mod file;
mod load;
mod properties;
mod sources;

pub use config::{ResolvedConfig, is_known_config, near_config};
pub use discover::{MacroFile, ModelFile};
pub use error::ProjectError;
pub use file::{Dispatch, Hook, ProjectFile};
pub use load::{LoadOptions, Project, parse_vars};
pub use properties::{MacroProperties, ModelProperties, Properties, PropertyConfig, SourceTable};
