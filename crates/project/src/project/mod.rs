//! A project on disk: its file ([`ProjectFile`]), the models, macros and property files below it, and the configuration
//! that a node ends up with ([`ResolvedConfig`]). [`Project::load`] reads all of it once.

mod config;
mod data_tests;
mod discover;
mod error;
mod exposures;
mod file;
mod load;
mod new_package;
mod package_version;
mod packages;
mod properties;
mod snapshots;
mod sources;
mod unit_tests;
mod versions;

pub use config::{ResolvedConfig, is_known_config, near_config};
pub use data_tests::{GenericTest, TestTarget};
pub use discover::{MacroFile, ModelFile, NodeFile};
pub use error::ProjectError;
pub use exposures::{Exposure, Group};
pub use file::{Dispatch, Hook, ProjectFile};
pub use load::{LoadOptions, Project, parse_mapping, project_root};
pub use new_package::{NewPackage, NewPackageError, PackageKey};
pub use package_version::{PackageRange, PackageVersion};
pub use packages::{
    LOCK, Package, PackageSource, install_path, locked_versions, package_name, package_sources,
};
pub use properties::{
    FunctionArgument, FunctionProperties, MacroProperties, ModelProperties, Properties,
    PropertyConfig, SourceTable,
};
pub use snapshots::snapshot_query;
pub use unit_tests::{
    Fixture, FixtureFile, Format, Given, Input, Overrides, Rows, UnitTest, Versions,
};
